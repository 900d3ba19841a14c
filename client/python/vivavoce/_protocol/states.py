from protocol.states import *
