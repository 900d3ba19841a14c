from protocol.client import *
