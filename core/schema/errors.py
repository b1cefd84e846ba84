"""What can be wrong with the shape that a plugin gives to its options or messages."""

from __future__ import annotations

from headrace.core.errors import PluginError

__all__ = ["OptionsSchemaError"]


class OptionsSchemaError(PluginError):
    """The options of a step cannot be described as JSON Schema.

    The step works, but `headrace schema file` lets any options of it pass, so editors cannot help with them. Mend:
    the plugin's author uses types that JSON Schema has (text, numbers, lists, maps, models of these), or annotates
    the field with pydantic's `WithJsonSchema`.
    """

    code = "HR606"
