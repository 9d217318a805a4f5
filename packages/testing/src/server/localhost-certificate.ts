/**
 * A certificate for `localhost` and 127.0.0.1 with its key, signed by itself, good for a hundred years and for tests
 * alone.
 */
export const localhostCertificate: { readonly cert: string; readonly key: string } = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUGK7LHDHXRpQ6TIdvZwUb/K3Z+UEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTE0MjgzOVoYDzIxMjYxMDI4
MTQyODM5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARr27o5TeLM9r99OVMbzMo3TwL0Bj86Co7cVuEb3bOjgu3kxXpmv4Ry
4ijFf3CBfE5p7rd+s6/1CZL2PFL31XQmo28wbTAdBgNVHQ4EFgQUchor03sxaIr6
/Cs8p2Bv58w/7vswHwYDVR0jBBgwFoAUchor03sxaIr6/Cs8p2Bv58w/7vswDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgHWCgeBDzRamYlst1YgHknEaGAzA3fv8jyur5/tGXAIwCIQD2
XCMS8cAJGygTQcz+Jqqvo/GPPazlZ+1eU6CYH5Wtjg==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgfds8Gz3HxbTtsFgK
sgh8t0JpwsmcRlDrIeAyi7+lxmehRANCAARr27o5TeLM9r99OVMbzMo3TwL0Bj86
Co7cVuEb3bOjgu3kxXpmv4Ry4ijFf3CBfE5p7rd+s6/1CZL2PFL31XQm
-----END PRIVATE KEY-----
`,
}
