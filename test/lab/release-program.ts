/** Runs in the client's namespace: serves a directory on port 80, as a rack's own web server would. */
const [directory = "/nonexistent"] = process.argv.slice(2);
Bun.serve({
  port: 80,
  async fetch(request) {
    const file = Bun.file(directory + new URL(request.url).pathname);
    return (await file.exists()) ? new Response(file) : new Response("no such file", { status: 404 });
  },
});
console.log("serving");
