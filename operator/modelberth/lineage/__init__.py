"""What was made of what: a graph out of records, its questions, and pictures of it. Pure; standard library and content.

`facts` is what goes in, `index` keeps it, `walk` follows it in both directions, `timeline` says which version answered
when.
"""
