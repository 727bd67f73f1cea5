"""The mapping: pictures of resources, one file a concept, read and written by the same declaration."""

from mesofhir.mapping.clinic import Clinic, Link
from mesofhir.mapping.reading import Kept, Note, Understood, understand
from mesofhir.mapping.summary import summaries
from mesofhir.mapping.writing import Graph, Made, graph

__all__ = ["Clinic", "Graph", "Kept", "Link", "Made", "Note", "Understood", "graph", "summaries", "understand"]
