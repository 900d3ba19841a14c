"""The long-running task that carries audio between clients and the model. One call is one TaskGroup."""
