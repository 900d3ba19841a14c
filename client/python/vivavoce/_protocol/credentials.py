from protocol.credentials import *
