from protocol.limits import *
