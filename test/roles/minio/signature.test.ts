import { expect, test } from "bun:test";
import { encodePath, encodeQuery, signed, type Signable } from "../../../src/roles/minio/signature.ts";

/** The account, the time and the signatures of "Authenticating Requests: Using the Authorization Header" in AWS's S3 API reference. */
const credentials = {
  accessKey: "AKIAIOSFODNN7EXAMPLE",
  secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
const at = Date.parse("2013-05-24T00:00:00Z");
const host = "examplebucket.s3.amazonaws.com";
const plain: Signable = { method: "GET", path: "/", query: {}, headers: { host }, body: new Uint8Array() };

const vectors: [string, Signable, string, string][] = [
  [
    "GET of an object, a part of it",
    { ...plain, path: encodePath("test.txt"), headers: { host, range: "bytes=0-9" } },
    "host;range;x-amz-content-sha256;x-amz-date",
    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
  ],
  [
    "PUT of an object whose name needs encoding",
    {
      method: "PUT",
      path: encodePath("test$file.text"),
      query: {},
      headers: {
        host,
        date: "Fri, 24 May 2013 00:00:00 GMT",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
      },
      body: new TextEncoder().encode("Welcome to Amazon S3."),
    },
    "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
    "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
  ],
  [
    "GET of a bucket's lifecycle, a query without a value",
    { ...plain, query: { lifecycle: "" } },
    "host;x-amz-content-sha256;x-amz-date",
    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
  ],
  [
    "GET of a bucket's objects",
    { ...plain, query: { prefix: "J", "max-keys": "2" } },
    "host;x-amz-content-sha256;x-amz-date",
    "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
  ],
];

for (const [what, request, headers, signature] of vectors) {
  test(`AWS's own example: ${what}`, () => {
    const { authorization } = signed(request, credentials, at);
    const scope = `${credentials.accessKey}/20130524/us-east-1/s3/aws4_request`;
    expect(authorization).toBe(
      `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=${headers}, Signature=${signature}`,
    );
  });
}

test("names that differ by what JavaScript does not encode", () => {
  expect(encodePath("bucket", "a b/c+d!'()*~é")).toBe("/bucket/a%20b/c%2Bd%21%27%28%29%2A~%C3%A9");
  expect(encodeQuery({ "a-b": "/=", a: "" })).toBe("a=&a-b=%2F%3D");
});
