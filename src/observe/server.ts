import { createServer } from 'node:http';

/** Serves /metrics, and /healthz for a liveness probe; closes with its last answer. */
export async function serveMetrics(
  at: { readonly host: string; readonly port: number },
  metrics: () => Promise<string>,
): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    if (request.url === '/healthz') {
      response.end('ok\n');
      return;
    }
    if (request.url !== '/metrics') {
      response.writeHead(404).end('there are /metrics and /healthz\n');
      return;
    }
    metrics().then(
      (text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
      () => response.writeHead(500).end('the journal does not answer\n'),
    );
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error: NodeJS.ErrnoException) => {
    const where = `${at.host}:${at.port}`;
    const why = error.code === 'EADDRINUSE' ? 'the port is taken: choose another one under `metrics`' : error.message;
    reject(new Error(`metrics cannot be served on ${where}: ${why}`, { cause: error }));
  });
  server.listen(at.port, at.host, resolve);
  await promise;
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
