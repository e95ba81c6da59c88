"""The demo: a DAG on a real cluster, with an engine that is killed on the way."""
