"""Schema of the records in the one DynamoDB table, and their conditional writes.

The only state that functions and relay share. One module per noun; README.md has the key table.
"""
