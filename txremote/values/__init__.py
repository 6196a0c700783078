"""
Declared values: what annotations say of arguments and results, and how it is held.

A service with ``values=True`` has its annotations read: what a parameter with a value type gets is
a copy of that type, checked before the method runs. No module of this room knows a connection: it
converts what the codec (`txremote.wire`) decoded, and checks what is to be encoded.

``annotations``  reading annotations, each for itself
``array_dtypes``  the dtypes of numpy's arrays as plain tuples, and back
``arrays``  numpy's arrays and scalars as values
``compiling``  `value_type`: from an annotation to its `ValueType`
``constraints``  constraints in ``Annotated``, of msgspec and of annotated-types
``containers``  value types of lists, tuples, sets and dicts
``fields``  the fields of dataclasses, attrs classes, Structs, named tuples and ``TypedDict``
``flows``  results that are declared to be streams
``frame_columns``  a column of pandas as one of Arrow, and back
``frames``  pandas' DataFrame and Series as values: Arrow's stream, and what Arrow does not know
``leaves``  value types that hold no others
``libraries``  the values of numpy, Arrow and pandas, in the wire's table of kinds
``library_types``  annotations of numpy's, Arrow's and pandas' classes as value types
``nodes``  `ValueType`, and the search for the value that is wrong
``plan``  `CallPlan`: how one function's arguments and its result travel
``planning``  `call_plan`: from a function to its plan
``record_classes``  the classes that a call plan takes or gives as records
``records``  value types of classes with fields
``registry``  classes that are values by functions of the program's own
``scalars``  numpy's scalars as they arrive, and where their classes are declared
``tables``  Arrow's tables and record batches as values: a stream of Arrow's own IPC format
``texts``  how annotations and values read in an error
``unions``  value types that are one of several, and enums
"""
