"""The matrix of the field: what becomes of the host, of the examples and of the facts, on modules as they are met in the field.

``matrix`` runs the cells, ``shown`` prints them, ``session`` is a host program, ``declared`` what a quirk or a profile may
change.
"""
