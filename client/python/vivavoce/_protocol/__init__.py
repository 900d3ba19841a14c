"""The protocol room, by the name it has in the published package.

In a checkout, each file here gives the names of the module of protocol/ that it is named after: there is one
copy of every class. The build puts the modules themselves in their place (hatch_build.py), which is why
protocol/ imports its own modules by relative names. A module that the client comes to need gets a file here.
"""
