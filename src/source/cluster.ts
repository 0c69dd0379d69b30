/** Where an API server is, and as whom to talk to it. */

export interface Cluster {
  readonly server: URL;
  /** PEM. Without a CA the system's own are trusted. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name in the server's certificate, where it is not the one in `server`. */
  readonly servername?: string | undefined;
  /** The operator has said that the server's certificate is not to be checked. */
  readonly insecure?: boolean | undefined;
  /** Sent with each request: an impersonated user, a login. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A bearer token, asked for before each request: files of service accounts are rewritten every hour. */
  token(): Promise<string | undefined>;
  /** The same cluster with new credentials, asked for when the API server answers 401. */
  renew?(signal: AbortSignal): Promise<Cluster>;
  /** What its kubeconfig calls it. */
  readonly name?: string | undefined;
  /** Where this was found, in words. */
  readonly describe: string;
}

/** There is neither a service account nor a kubeconfig: nothing to connect to, and nothing to wait for. */
export class NoClusterError extends Error {
  override readonly name = 'NoClusterError';
}
