"""What OpenAPI 3.1 asks of a document, and JSON Schema 2020-12 of the schemas in it."""
import re

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
KEYS = {
    "document": {"openapi", "info", "jsonSchemaDialect", "servers", "paths", "webhooks", "components", "security",
                 "tags", "externalDocs"},
    "info": {"title", "summary", "description", "termsOfService", "contact", "license", "version"},
    "license": {"name", "identifier", "url"},
    "server": {"url", "description", "variables"},
    "path": {"$ref", "summary", "description", "servers", "parameters", *METHODS},
    "operation": {"tags", "summary", "description", "externalDocs", "operationId", "parameters", "requestBody",
                  "responses", "callbacks", "deprecated", "security", "servers"},
    "parameter": {"name", "in", "description", "required", "deprecated", "allowEmptyValue", "style", "explode",
                  "allowReserved", "schema", "example", "examples", "content"},
    "body": {"description", "content", "required"},
    "response": {"description", "headers", "content", "links"},
    "media": {"schema", "example", "examples", "encoding"},
    "components": {"schemas", "responses", "parameters", "examples", "requestBodies", "headers", "securitySchemes",
                   "links", "callbacks", "pathItems"},
}
SCHEMA_KEYS = {
    "$ref", "$comment", "title", "description", "type", "enum", "const", "examples", "default", "format",
    "minimum", "maximum", "minLength", "maxLength", "pattern", "items", "minItems", "maxItems", "uniqueItems",
    "properties", "required", "additionalProperties", "unevaluatedProperties", "allOf", "anyOf", "oneOf", "not",
}


class Document:
    def __init__(self, doc):
        self.doc, self.faults, self.used = doc, [], set()
        self.operations = {}  # (METHOD, path) -> the operation

    def fault(self, where, what):
        self.faults.append(f"{where}: {what}")

    def keys(self, kind, value, where, required=()):
        if not isinstance(value, dict):
            self.fault(where, f"is no object: {value!r}")
            return {}
        for key in value:
            if key not in KEYS[kind] and not str(key).startswith("x-"):
                self.fault(where, f"{kind} has no {key}")
        for key in required:
            if key not in value:
                self.fault(where, f"{kind} needs {key}")
        return value

    def resolve(self, value, where):
        while isinstance(value, dict) and set(value) <= {"$ref", "summary", "description"} and "$ref" in value:
            value = self.target(value["$ref"], where)
        return value

    def target(self, ref, where):
        at = self.doc
        self.used.add(ref)
        for part in ref.removeprefix("#/").split("/"):
            at = at.get(part) if isinstance(at, dict) else None
        if not ref.startswith("#/") or at is None:
            self.fault(where, f"{ref} leads nowhere")
        return at or {}

    def validator(self, schema):
        root = {"components": self.doc["components"], **schema}
        return Draft202012Validator(root, format_checker=FormatChecker())

    def schema(self, schema, where):
        """The schema itself, each one inside it, and its examples."""
        if isinstance(schema, bool):
            return
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as e:
            self.fault(where, e.message)
        for key, value in schema.items():
            if key not in SCHEMA_KEYS:
                self.fault(where, f"a schema has no {key}")
            elif key == "$ref":
                self.target(value, where)
            elif key == "properties":
                for name, inner in value.items():
                    self.schema(inner, f"{where}.{name}")
            elif key in ("items", "not", "additionalProperties", "unevaluatedProperties"):
                self.schema(value, f"{where}.{key}")
            elif key in ("allOf", "anyOf", "oneOf"):
                for i, inner in enumerate(value):
                    self.schema(inner, f"{where}.{key}[{i}]")
        for name in schema.get("required", []):
            if name not in schema.get("properties", {}):
                self.fault(where, f"requires {name}, which is no property")
        for example in schema.get("examples", []):
            self.example(schema, example, where)

    def example(self, schema, value, where):
        for e in self.validator(schema).iter_errors(value):
            self.fault(where, f"example {value!r}: {e.message}")

    def content(self, content, where):
        for kind, media in content.items():
            at = f"{where} {kind}"
            if not re.fullmatch(r"[a-z*]+/[a-z0-9.+*-]+", kind):
                self.fault(at, "is no media type")
            self.keys("media", media, at)
            if "schema" in media:
                self.schema(media["schema"], at)
                if "example" in media:
                    self.example(media["schema"], media["example"], at)

    def response(self, response, where):
        response = self.keys("response", self.resolve(response, where), where, ["description"])
        self.content(response.get("content", {}), where)

    def operation(self, method, path, item, operation):
        where = f"{method.upper()} {path}"
        self.keys("operation", operation, where, ["responses"])
        names = set()
        for parameter in item.get("parameters", []) + operation.get("parameters", []):
            parameter = self.keys("parameter", self.resolve(parameter, where), where, ["name", "in"])
            if ("schema" in parameter) == ("content" in parameter):
                self.fault(where, "a parameter has a schema or a content, one of them")
            self.schema(parameter.get("schema", {}), where)
            if parameter.get("in") == "path":
                names.add(parameter.get("name"))
                if parameter.get("required") is not True:
                    self.fault(where, "a parameter of the path is required")
        if names != set(re.findall(r"\{([^}]*)\}", path)):
            self.fault(where, f"the path's parameters are not {names}")
        if "requestBody" in operation:
            self.keys("body", operation["requestBody"], where, ["content"])
            self.content(operation["requestBody"].get("content", {}), where)
        if not operation.get("responses"):
            self.fault(where, "has no response")
        for status, response in operation.get("responses", {}).items():
            if not isinstance(status, str) or not re.fullmatch(r"[1-5](\d\d|XX)|default", status):
                self.fault(where, f"{status!r} is no status")
            self.response(response, f"{where} {status}")
        self.operations[method.upper(), path] = operation

    def paths(self):
        ids = []
        for path, item in self.doc.get("paths", {}).items():
            self.keys("path", item, path)
            if not path.startswith("/"):
                self.fault(path, "does not begin with a slash")
            for method in METHODS:
                if method in item:
                    self.operation(method, path, item, item[method])
                    ids.append(item[method].get("operationId"))
        if len(ids) != len(set(ids)):
            self.fault("operationId", "one is there twice")

    def check(self):
        """@return every fault there is"""
        doc = self.keys("document", self.doc, "document", ["openapi", "info"])
        if not re.fullmatch(r"3\.1\.\d+", doc.get("openapi", "")):
            self.fault("openapi", "is not 3.1")
        if not {"paths", "components", "webhooks"} & set(doc):
            self.fault("document", "has no paths, components or webhooks")
        info = self.keys("info", doc.get("info", {}), "info", ["title", "version"])
        if "license" in info:
            self.keys("license", info["license"], "license", ["name"])
            if {"identifier", "url"} <= set(info["license"]):
                self.fault("license", "has an identifier or a url, one of them")
        for server in doc.get("servers", []):
            self.keys("server", server, "server", ["url"])
        self.paths()
        components = self.keys("components", doc.get("components", {}), "components")
        for name, schema in components.get("schemas", {}).items():
            self.schema(schema, name)
        for name, response in components.get("responses", {}).items():
            self.response(response, name)
        for kind, named in components.items():
            for name in named:
                if not re.fullmatch(r"[a-zA-Z0-9._-]+", name):
                    self.fault(name, "is no name of a component")
                if f"#/components/{kind}/{name}" not in self.used:
                    self.fault(name, "is used nowhere")
        return self.faults
