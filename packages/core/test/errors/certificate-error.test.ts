import { isCertificateError } from '@ha/core/driver'
import { expect, test } from 'vitest'

const failed = (code: unknown): Error => Object.assign(new Error('no'), { code })

test.each(['CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'ERR_TLS_CERT_ALTNAME_INVALID'])(
  '%s is about a certificate',
  (code) => expect(isCertificateError(failed(code))).toBe(true),
)

test.each(['ECONNREFUSED', 'ERR_SSL_WRONG_VERSION_NUMBER', 7, undefined])('%s is not', (code) =>
  expect(isCertificateError(failed(code))).toBe(false),
)
