"""Language models behind HTTP servers, with the standard library alone."""

from gennas.models.llm.http.backend import HttpBackend
from gennas.models.llm.http.client import Client, Response
from gennas.models.llm.http.servers import SERVERS, Server

__all__ = ["SERVERS", "Client", "HttpBackend", "Response", "Server"]
