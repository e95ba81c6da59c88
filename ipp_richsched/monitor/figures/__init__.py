"""Bokeh figures of runs, made of data sources that may go on changing."""
