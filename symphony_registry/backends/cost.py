"""What work costs, to decide whether the event loop may do it or a thread has to.

Costs are counted in steps of about 0.1 µs, measured on one core of a small
server. They only have to be right within a factor of a few.
"""

# Work of more steps goes to a thread.
LONG = 10_000

# Checking and copying an item of a bulk operation.
ITEM = 100
# Copying a small object that was checked before.
SMALL = 10
# A search, whatever it finds.
SEARCH = 1_000

# What is done in one step:
JSON_BYTES = 20  # of JSON text read or written
NUMBERS = 300  # of a matrix multiplied or copied
FLOATS = 8  # made of an array's numbers
VECTOR_BYTES = 32  # of vectors made into lists of floats
