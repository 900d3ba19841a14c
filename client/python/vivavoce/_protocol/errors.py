from protocol.errors import *
