"""
Values: copies of a declared type, where everything else travels by reference.

No module of this room knows a connection. What a value is made of, in bytes, is the wire's.

``array_dtypes``  the dtypes of numpy's arrays as plain tuples, and back
``arrays``  numpy's arrays and scalars as values
``frame_columns``  a column of pandas as one of Arrow, and back
``frames``  pandas' DataFrame and Series as values: Arrow's stream, and what Arrow does not know
``libraries``  the values of numpy, Arrow and pandas, in the wire's table of kinds
``registry``  classes that are values by functions of the program's own
``tables``  Arrow's tables and record batches as values: a stream of Arrow's own IPC format
"""
