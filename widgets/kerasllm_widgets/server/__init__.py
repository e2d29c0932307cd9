"""The server's side of the Lab extension: routes, a queue of background runs, no second port."""

from kerasllm_widgets.server.app import KerasLLM

__all__ = ["KerasLLM"]
