"""The JSON documents that pass between steps and people, a type each; their schemas are derived from the types."""
