#!/bin/sh
# service-identity 18.1.0, the oldest that Twisted[tls] 24.11.0 allows, imports `six` and does not
# require it. Twisted says so in a warning, and then checks host names of certificates by a
# rudimentary rule of its own.
# Seen with CPython 3.11: six is missing, rudimentary
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check service-identity==18.1.0 Twisted==24.11.0 'pyOpenSSL==22.1.0'
cat >"$folder/seen.py" <<'END'
import warnings

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import twisted.internet.ssl  # noqa: F401

(text,) = [str(each.message) for each in caught if "service_identity" in str(each.message)]
if "No module named 'six'" in text and "rudimentary" in text:
    print("six is missing, rudimentary")
END
seen=$("$folder/venv/bin/python" "$folder/seen.py")
echo "$seen"
test "$seen" = "six is missing, rudimentary"
