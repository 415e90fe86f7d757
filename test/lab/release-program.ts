/** Runs in the client's namespace: serves a directory, over https where a certificate and its key are given. */
const [directory = "/nonexistent", cert, key] = process.argv.slice(2);
Bun.serve({
  port: cert ? 443 : 80,
  ...(cert && key ? { tls: { cert: Bun.file(cert), key: Bun.file(key) } } : {}),
  async fetch(request) {
    const file = Bun.file(directory + new URL(request.url).pathname);
    return (await file.exists()) ? new Response(file) : new Response("no such file", { status: 404 });
  },
});
console.log("serving");
