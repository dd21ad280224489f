"""The sentences of the contract, each with the check that it holds, in a module per subject."""
