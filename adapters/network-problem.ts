const PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it reset the connection',
  EPIPE: 'it closed the connection',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ETIMEDOUT: 'it did not answer in time',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name cannot be resolved at the moment',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed; name the file that vouches for it as `tls.ca`',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an unknown authority; name its file as `tls.ca`',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an unknown authority; name its file as `tls.ca`',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an unknown authority; name its file as `tls.ca`',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
  ERR_OSSL_PEM_NO_START_LINE: 'a file named under `tls` holds no certificate or key in PEM',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on that port',
  EPROTO: 'it does not speak TLS on that port',
};

/** Why a connection could not be made or was lost, in words that complete "cannot reach HOST: …". */
export function networkProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error) ?? codeOf(error.cause) ?? '';
  return PROBLEMS[code] ?? (error.message || code || error.name);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
