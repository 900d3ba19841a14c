from protocol.control import *
