"""The shape of the records in the one DynamoDB table, and their conditional writes.

Functions and relay meet here and nowhere else. One module per noun; README.md has the key table.
"""
