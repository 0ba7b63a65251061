"""The conformance suite: every fact of a module's document, generated from the catalogue and held against the module.

``document`` reads the catalogue, ``facts`` is what can be true or false of a module, ``kinds`` makes facts of a document and
checks them, ``probe`` is a slot while that happens, ``judge`` turns a check into a verdict.
"""
