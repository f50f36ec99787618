"""Holds JSON against a schema of docs/, with a validator that is not ours: schema.py SCHEMA REPORT

References to other schemas are those of the files beside it, as they are installed."""
import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
import jsonschema  # noqa: E402

path = Path(sys.argv[1]).resolve()
schema = json.loads(path.read_text(encoding="utf-8"))
report = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
jsonschema.Draft202012Validator.check_schema(schema)
resolver = jsonschema.RefResolver(path.as_uri(), schema)
errors = list(jsonschema.Draft202012Validator(schema, resolver=resolver).iter_errors(report))
for error in errors:
    print(f"{error.json_path}: {error.message}")
sys.exit(1 if errors else 0)
