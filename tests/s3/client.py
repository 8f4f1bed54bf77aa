"""A client of S3 for tests: path-style, signed (AWS version 4), nothing retried or hidden.

    client.py ENDPOINT ACCESS SECRET BUCKET [suspended]    makes the bucket, if it is not there

With "suspended", versioning is then suspended in it: a delete leaves a marker.

Exit codes: 0 done, 1 refused, 2 called wrongly.
"""

import binascii
import datetime
import hashlib
import hmac
import http.client
import random
import sys
import threading
import urllib.parse
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape

ANSWER_SECONDS_MAX = 60


class Differs(Exception):
    pass


def equal(what, expected, got):
    if expected != got:
        raise Differs(f"{what}: expected {str(expected)[:200]}, got {str(got)[:200]}")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def texts(self, *names):
        """The text of every element of this path, wherever it is."""
        found, names = [ElementTree.fromstring(self.body)], list(names)
        for name in names:
            found = [child for parent in found for child in parent if child.tag.split("}")[-1] == name]
        return [element.text or "" for element in found]


class S3:
    """A bucket, path-style, with the signature of AWS (version 4). One connection a thread."""

    def __init__(self, endpoint, access, secret, bucket):
        self.host = urllib.parse.urlsplit(endpoint).netloc
        self.access, self.secret, self.bucket = access, secret, bucket
        self.forget_connections()

    def forget_connections(self):
        """Needed when the server was killed: nothing here tries a request twice."""
        self.local = threading.local()

    def sign(self, method, path, query, headers, body):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers = {**headers, "host": self.host, "x-amz-date": now, "x-amz-content-sha256": digest}
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = "\n".join([method, path, query, lines, names, digest])
        scope = f"{now[:8]}/us-east-1/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return headers

    def ask(self, method, key="", query=None, body=b"", **headers):
        path = "/" + urllib.parse.quote(f"{self.bucket}/{key}" if key else self.bucket, safe="/-_.~")
        encoded = urllib.parse.urlencode(sorted((query or {}).items()), quote_via=urllib.parse.quote, safe="-_.~")
        signed = self.sign(method, path, encoded, {k.replace("_", "-"): v for k, v in headers.items()}, body)
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self.host, timeout=ANSWER_SECONDS_MAX)
            self.local.connection = connection
        try:
            connection.request(method, path + ("?" + encoded if encoded else ""), body=body, headers=signed)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except BaseException:
            connection.close()
            self.local.connection = None
            raise

    def must(self, status, method, key="", query=None, body=b"", **headers):
        answer = self.ask(method, key, query, body, **headers)
        if answer.status != status:
            asked = f"{method} {key} {query or ''} {headers or ''}"
            raise Differs(f"{asked}: expected {status}, got {answer.status} {answer.body[:300]}")
        return answer

    def keys(self, prefix, page=1000, **more):
        """All keys below a prefix by following the continuation, and the common prefixes."""
        keys, folders, token, pages = [], [], {}, 0
        while True:
            # 1,000 is what a server gives that is not told.
            size = {} if page == 1000 else {"max-keys": str(page)}
            answer = self.must(200, "GET", "", {"list-type": "2", "prefix": prefix, **size, **more, **token})
            names, below = answer.texts("Contents", "Key"), answer.texts("CommonPrefixes", "Prefix")
            if len(names) + len(below) > page:
                raise Differs(f"a page of {len(names) + len(below)} where {page} were asked for")
            keys, folders, pages = keys + names, folders + below, pages + 1
            if answer.texts("IsTruncated") != ["true"]:
                return keys, folders, pages
            token = {"continuation-token": answer.texts("NextContinuationToken")[0]}

    def delete_all(self, keys):
        for start in range(0, len(keys), 1000):
            page = keys[start : start + 1000]
            names = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in page)
            body = f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{names}</Delete>'.encode()
            checksum = binascii.b2a_base64(hashlib.sha256(body).digest(), newline=False).decode()
            answer = self.must(200, "POST", "", {"delete": ""}, body, x_amz_checksum_sha256=checksum)
            equal("errors of a bulk delete", [], answer.texts("Error", "Key"))
            equal("keys of a bulk delete", sorted(page), sorted(answer.texts("Deleted", "Key")))

    def upload(self, key, parts):
        """All of a multipart upload but its completion: a function that completes it."""
        upload = self.must(200, "POST", key, {"uploads": ""}).texts("UploadId")[0]
        tags = {}
        # Parts come in any order.
        for number in random.sample(range(1, len(parts) + 1), len(parts)):
            query = {"partNumber": str(number), "uploadId": upload}
            tags[number] = self.must(200, "PUT", key, query, parts[number - 1]).headers["etag"]
        names = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{tags[n]}</ETag></Part>" for n in sorted(tags))
        body = f"<CompleteMultipartUpload>{names}</CompleteMultipartUpload>".encode()
        return upload, lambda **headers: self.ask("POST", key, {"uploadId": upload}, body, **headers)


def main():
    if len(sys.argv) not in (5, 6) or sys.argv[5:] not in ([], ["suspended"]):
        print(__doc__, file=sys.stderr)
        return 2
    s3 = S3(*sys.argv[1:5])
    answer = s3.ask("PUT")
    if answer.status == 409 and answer.texts("Code") == ["BucketAlreadyOwnedByYou"]:
        answer.status = 200
    if answer.status == 200 and sys.argv[5:]:
        names = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        body = f"<VersioningConfiguration {names}><Status>Suspended</Status></VersioningConfiguration>"
        answer = s3.ask("PUT", "", {"versioning": ""}, body.encode())
    if answer.status == 200:
        return 0
    print(f"client.py: {answer.status} {answer.body.decode(errors='replace')}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
