/** Whether a connection failed because of a certificate: one that does not hold for us will not in a moment either. */
export function isCertificateError(error: Error): boolean {
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' && /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)
}
