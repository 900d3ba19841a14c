from protocol.pace import *
