/* Every directive, one row.  Included several times with another SL_ROW and SL_SLOT: by settings.h (the enum),
 * settings.c (the table) and httpd/directives.c (httpd's command table).
 *
 * SL_ROW(id, name, kind, where, merge, minimum, maximum, initial, words, weight, help)
 *   kind     how the arguments are read (settings.h: SL_KIND_...)
 *   where    contexts: SL_MAIN main server only, SL_SERVER main server and virtual hosts, SL_DIR sections,
 *            SL_HTACCESS_... .htaccess with that AllowOverride class, SL_PROXY <Proxy> sections
 *   merge    what a virtual host's or section's value does to the inherited one
 *   initial  the value when nothing is set (number; flags 0/1; words: index of the word)
 *   words    allowed words, '|' separated; "a=b" makes a a synonym of b
 *   weight   SL_IN_PROFILE: compiled into the profile; SL_FOR_AUTH, SL_FOR_SECURITY: compared by SSLVHostSNIPolicy
 *            (certificates are compared by what is in them);
 *            SL_IN_CLIENT_PROFILE: compiled into the profile of the side that connects to backends;
 *            SL_BY_CONTENTS: a file of certificates or CRLs; for a profile it counts what is in it, not where it is
 * SL_SLOT has the same columns for a value that another row's arguments fill; it is no directive of its own. */

/* Certificates and keys */
SL_ROW(SL_ENGINE, "SSLEngine", SL_KIND_WORD, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, "off|on|optional", 0,
       "on, off: whether this virtual host speaks TLS")
SL_ROW(SL_CERTIFICATE_FILE, "SSLCertificateFile", SL_KIND_FILES, SL_SERVER, SL_BY_POSITION, 0, 0, 0, NULL,
       0, "file with the server certificate, its chain and possibly its key; repeat for another key type")
SL_ROW(SL_CERTIFICATE_KEY_FILE, "SSLCertificateKeyFile", SL_KIND_FILES, SL_SERVER, SL_BY_POSITION, 0, 0, 0, NULL,
       0, "file with the private key of the certificate in the same position")
SL_ROW(SL_CERTIFICATE_CHAIN_FILE, "SSLCertificateChainFile", SL_KIND_FILE, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "file with the intermediate certificates")
SL_ROW(SL_CERTIFICATE_DIRECTORY, "SecureLayerCertificateDirectory", SL_KIND_DIR, SL_SERVER, SL_CHILD_WINS, 0, 0, 0,
       "off", SL_FOR_SECURITY,
       "directory with the certificates and keys of many names, which are looked up when asked for, or off")
SL_ROW(SL_PASS_PHRASE_DIALOG, "SSLPassPhraseDialog", SL_KIND_DIALOG, SL_MAIN, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "builtin, exec:path, |program arguments: who is asked for the pass phrases of encrypted keys")

SL_ROW(SL_RELOAD, "SecureLayerReload", SL_KIND_RELOAD, SL_MAIN, SL_CHILD_WINS, 1, 86400, -1, NULL, 0,
       "on, off, seconds between two looks: whether files that change are taken without a restart")
SL_ROW(SL_IDENTITY_CACHE, "SecureLayerIdentityCache", SL_KIND_NUMBER, SL_MAIN, SL_CHILD_WINS, 1, 10000000, 300, NULL,
       0, "number: certificates with their keys that each child process keeps ready")

/* The library as a whole */
SL_ROW(SL_CRYPTO_DEVICE, "SSLCryptoDevice", SL_KIND_ENGINE, SL_MAIN, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "builtin, or the id of an OpenSSL engine that does the cryptography")
SL_ROW(SL_FIPS, "SSLFIPS", SL_KIND_ONE_FLAG, SL_MAIN, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "on, off: only what the FIPS provider of OpenSSL offers")
SL_ROW(SL_RANDOM_SEED, "SSLRandomSeed", SL_KIND_RANDOM_SEED, SL_MAIN, SL_APPEND, 0, 0, 0, NULL, 0,
       "startup, connect and builtin, file:path, exec:path [bytes]: accepted; OpenSSL seeds itself")

/* Versions, suites, library settings */
SL_ROW(SL_POLICY, "SSLPolicy", SL_KIND_WORD, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 1, "modern|intermediate|old",
       SL_IN_PROFILE | SL_FOR_SECURITY | SL_IN_CLIENT_PROFILE,
       "modern, intermediate, old: protocols, suites and groups that nothing else sets")
SL_ROW(SL_PROTOCOL, "SSLProtocol", SL_KIND_PROTOCOLS, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_SECURITY, "[+-]TLSv1 TLSv1.1 TLSv1.2 TLSv1.3 all: protocol versions")
SL_ROW(SL_CIPHERS, "SSLCipherSuite", SL_KIND_CIPHERS, SL_SERVER | SL_DIR | SL_HTACCESS_AUTH, SL_CHILD_WINS, 0, 0, 0,
       NULL,
       SL_IN_PROFILE | SL_FOR_SECURITY, "[SSL|TLSv1.3] list: cipher suites")
SL_SLOT(SL_SUITES, "SSLCipherSuite TLSv1.3", SL_KIND_TEXT, 0, SL_CHILD_WINS, 0, 0, 0, NULL,
        SL_IN_PROFILE | SL_FOR_SECURITY, NULL)
SL_ROW(SL_INSECURE_RENEGOTIATION, "SSLInsecureRenegotiation", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE, "on, off: renegotiate with clients that lack secure renegotiation (insecure)")
SL_ROW(SL_HONOR_ORDER, "SSLHonorCipherOrder", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL, SL_IN_PROFILE,
       "on, off: the server's order of suites decides")
SL_ROW(SL_CONF_CMD, "SSLOpenSSLConfCmd", SL_KIND_CONF_CMD, SL_SERVER, SL_APPEND, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH, "name value: a setting of OpenSSL's SSL_CONF interface")
SL_ROW(SL_COMPRESSION, "SSLCompression", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL, SL_IN_PROFILE,
       "on, off: TLS-level compression (insecure)")
SL_ROW(SL_TICKETS, "SSLSessionTickets", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 1, NULL, SL_IN_PROFILE,
       "on, off: session tickets")

/* Sessions */
SL_ROW(SL_SESSION_CACHE, "SSLSessionCache", SL_KIND_CACHE, SL_MAIN, SL_CHILD_WINS, 0, 0, 0, "none|nonenotnull",
       SL_IN_PROFILE, "none, nonenotnull, provider[:arguments]: where sessions are kept, e.g. shmcb:scache(512000)")
SL_ROW(SL_SESSION_TIMEOUT, "SSLSessionCacheTimeout", SL_KIND_NUMBER, SL_SERVER, SL_CHILD_WINS, 0, 2147483647, 300, NULL,
       SL_IN_PROFILE, "seconds for which a session may be resumed, by its id or with a ticket")
SL_ROW(SL_TICKET_KEY_FILE, "SSLSessionTicketKeyFile", SL_KIND_FILE, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "file with the keys of session tickets, of 48 or 80 bytes each; the first one seals, all open")
SL_ROW(SL_TICKET_ROTATION, "SecureLayerTicketRotation", SL_KIND_NUMBER, SL_MAIN, SL_CHILD_WINS, 1, 604800, 43200, NULL,
       0, "seconds from one key of session tickets to the next")

/* Client certificates */
SL_ROW(SL_CA_FILE, "SSLCACertificateFile", SL_KIND_FILE, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH | SL_BY_CONTENTS,
       "file with the CA certificates that client certificates are checked against")
SL_ROW(SL_CA_PATH, "SSLCACertificatePath", SL_KIND_DIR, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH, "directory with hashed CA certificates")
SL_ROW(SL_NAMES_FILE, "SSLCADNRequestFile", SL_KIND_FILE, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH | SL_BY_CONTENTS,
       "file with the certificates whose names are sent to clients as acceptable CAs")
SL_ROW(SL_NAMES_PATH, "SSLCADNRequestPath", SL_KIND_DIR, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH, "directory with the certificates whose names are sent to clients")
SL_ROW(SL_CRL_FILE, "SSLCARevocationFile", SL_KIND_FILE, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH | SL_BY_CONTENTS, "file with certificate revocation lists")
SL_ROW(SL_CRL_PATH, "SSLCARevocationPath", SL_KIND_DIR, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH, "directory with hashed certificate revocation lists")
SL_ROW(SL_CRL_CHECK, "SSLCARevocationCheck", SL_KIND_CRL_CHECK, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH, "none, leaf, chain [no_crl_for_cert_ok]: which certificates need a revocation list")
SL_ROW(SL_VERIFY_CLIENT, "SSLVerifyClient", SL_KIND_WORD, SL_SERVER | SL_DIR | SL_HTACCESS_AUTH, SL_CHILD_WINS, 0, 0, 0,
       "none|optional|require|optional_no_ca|off=none|on=require", SL_IN_PROFILE | SL_FOR_AUTH,
       "none, optional, require, optional_no_ca: whether a client certificate is asked for")
SL_ROW(SL_VERIFY_DEPTH, "SSLVerifyDepth", SL_KIND_NUMBER, SL_SERVER | SL_DIR | SL_HTACCESS_AUTH, SL_CHILD_WINS, 0,
       2147483647, 1,
       NULL, SL_IN_PROFILE | SL_FOR_AUTH, "number: longest chain above a client certificate")

/* Passwords in the handshake */
SL_ROW(SL_SRP_VERIFIERS, "SSLSRPVerifierFile", SL_KIND_FILE, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH, "file with the SRP verifiers of users, as `openssl srp` writes it")
SL_ROW(SL_SRP_SEED, "SSLSRPUnknownUserSeed", SL_KIND_TEXT, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL, SL_IN_PROFILE,
       "text: secret from which SRP users who do not exist get their salt")

/* Client certificates, asked for at their CA's responder */
SL_ROW(SL_OCSP_ENABLE, "SSLOCSPEnable", SL_KIND_OCSP_CHECK, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH,
       "off, leaf, on [no_ocsp_for_cert_ok]: which client certificates an OCSP responder is asked about")
SL_ROW(SL_OCSP_RESPONDER, "SSLOCSPDefaultResponder", SL_KIND_TEXT, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH, "URL of the responder for client certificates that name none")
SL_ROW(SL_OCSP_OVERRIDE, "SSLOCSPOverrideResponder", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH, "on, off: only SSLOCSPDefaultResponder is asked, whatever certificates name")
SL_ROW(SL_OCSP_SKEW, "SSLOCSPResponseTimeSkew", SL_KIND_NUMBER, SL_SERVER, SL_CHILD_WINS, 0, 2147483647, 300, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH, "seconds that the clocks of responder and server may differ")
SL_ROW(SL_OCSP_MAX_AGE, "SSLOCSPResponseMaxAge", SL_KIND_NUMBER, SL_SERVER, SL_CHILD_WINS, -1, 2147483647, -1, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH, "seconds that a responder's answer counts (-1: until its nextUpdate)")
SL_ROW(SL_OCSP_TIMEOUT, "SSLOCSPResponderTimeout", SL_KIND_NUMBER, SL_SERVER, SL_CHILD_WINS, 0, 3600, 10, NULL,
       SL_IN_PROFILE, "seconds for the whole exchange with a responder")
SL_ROW(SL_OCSP_NONCE, "SSLOCSPUseRequestNonce", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 1, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH, "on, off: questions carry a nonce that the answer must repeat")
SL_ROW(SL_OCSP_PROXY, "SSLOCSPProxyURL", SL_KIND_URL, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL, SL_IN_PROFILE,
       "URL of the HTTP proxy on the way to responders")
SL_ROW(SL_OCSP_NO_VERIFY, "SSLOCSPNoVerify", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_PROFILE | SL_FOR_AUTH, "on, off: the signature of an answer is not looked at (unsafe)")
SL_ROW(SL_OCSP_RESPONDER_CERTS, "SSLOCSPResponderCertificateFile", SL_KIND_FILE, SL_SERVER, SL_CHILD_WINS, 0, 0, 0,
       NULL, SL_IN_PROFILE | SL_FOR_AUTH | SL_BY_CONTENTS,
       "file with certificates of responders that are believed beside the CA")

/* OCSP stapling */
SL_ROW(SL_USE_STAPLING, "SSLUseStapling", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "on, off: an OCSP answer about the server's certificate is stapled to the handshake")
SL_ROW(SL_STAPLING_CACHE, "SSLStaplingCache", SL_KIND_TEXT, SL_MAIN, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "provider[:arguments]: not needed, checked and left alone")
SL_ROW(SL_STAPLING_SKEW, "SSLStaplingResponseTimeSkew", SL_KIND_NUMBER, SL_SERVER, SL_CHILD_WINS, 0, 2147483647, 300,
       NULL, 0, "seconds that the clocks of responder and server may differ")
SL_ROW(SL_STAPLING_MAX_AGE, "SSLStaplingResponseMaxAge", SL_KIND_NUMBER, SL_SERVER, SL_CHILD_WINS, -1, 2147483647, -1,
       NULL, 0, "seconds that an answer is stapled (-1: until its nextUpdate)")
SL_ROW(SL_STAPLING_TIMEOUT, "SSLStaplingResponderTimeout", SL_KIND_NUMBER, SL_SERVER, SL_CHILD_WINS, 0, 3600, 10, NULL,
       0, "seconds for the whole exchange with a responder")
SL_ROW(SL_STAPLING_STANDARD_TIMEOUT, "SSLStaplingStandardCacheTimeout", SL_KIND_NUMBER, SL_SERVER, SL_CHILD_WINS, 0,
       2147483647, 3600, NULL, 0, "seconds that an answer without nextUpdate is stapled")
SL_ROW(SL_STAPLING_ERROR_TIMEOUT, "SSLStaplingErrorCacheTimeout", SL_KIND_NUMBER, SL_SERVER, SL_CHILD_WINS, 0,
       2147483647, 600, NULL, 0, "longest pause in seconds after a responder failed")
SL_ROW(SL_STAPLING_ERRORS, "SSLStaplingReturnResponderErrors", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "on, off: a responder's error is stapled when there is no answer")
SL_ROW(SL_STAPLING_TRY_LATER, "SSLStaplingFakeTryLater", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 1, NULL, 0,
       "on, off: with SSLStaplingReturnResponderErrors, tryLater is stapled while a responder can't be reached")
SL_ROW(SL_STAPLING_URL, "SSLStaplingForceURL", SL_KIND_TEXT, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "URL of the responder, whatever certificates name")
SL_ROW(SL_STATE_DIRECTORY, "SecureLayerStateDirectory", SL_KIND_TEXT, SL_MAIN, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "directory for what survives restarts; made if it is not there")

/* Choice of the virtual host */
SL_ROW(SL_STRICT_SNI, "SSLStrictSNIVHostCheck", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "on, off: refuse requests of clients that sent no server name")
SL_ROW(SL_SNI_POLICY, "SSLVHostSNIPolicy", SL_KIND_WORD, SL_MAIN, SL_CHILD_WINS, 0, 0, 1,
       "strict|secure|authonly|insecure", 0,
       "strict, secure, authonly, insecure: how far Host may differ from the server name")
SL_ROW(SL_UNKNOWN_NAME, "SecureLayerUnknownName", SL_KIND_WORD, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, "serve|refuse", 0,
       "serve, refuse: what a name gets that no virtual host has")
SL_ROW(SL_BROKEN_HOST, "SecureLayerBrokenHost", SL_KIND_WORD, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, "refuse-start|skip", 0,
       "refuse-start, skip: what becomes of a start when this virtual host can't be served")
SL_ROW(SL_STRICT_ALPN, "SecureLayerStrictALPN", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 1, NULL, 0,
       "on, off: refuse a client none of whose application protocols is known (RFC 7301)")

/* The handshake */
SL_ROW(SL_HANDSHAKE_TIMEOUT, "SecureLayerHandshakeTimeout", SL_KIND_NUMBER, SL_SERVER, SL_CHILD_WINS, 1, 3600, 10, NULL,
       0, "seconds from the connection's start until its handshake must be complete")
SL_ROW(SL_HANDSHAKE_QUEUE, "SecureLayerHandshakeQueue", SL_KIND_NUMBER, SL_MAIN, SL_CHILD_WINS, 0, 1000000, 0, NULL, 0,
       "number: unfinished handshakes that may wait per child process (0: twice ThreadsPerChild)")
SL_ROW(SL_HELLO_VARS, "SSLClientHelloVars", SL_KIND_FLAG, SL_SERVER, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "on, off: keep the ClientHello for the variables SSL_CLIENTHELLO_..., SSL_JA3 and SSL_JA4")

/* Looking in */
SL_ROW(SL_KEY_LOG, "SecureLayerKeyLog", SL_KIND_TEXT, SL_MAIN, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "path, environment: file that gets the keys of all connections (insecure)")

/* Requests */
SL_ROW(SL_OPTIONS, "SSLOptions", SL_KIND_OPTIONS, SL_SERVER | SL_DIR | SL_HTACCESS_OPTIONS, SL_OPTION_BITS, 0, 0, 0,
       "StdEnvVars|ExportCertData|FakeBasicAuth|StrictRequire|OptRenegotiate|LegacyDNStringFormat|ExportBase64CertData",
       0, "[+-]option ...: what requests get")
SL_ROW(SL_REQUIRE_SSL, "SSLRequireSSL", SL_KIND_NOTHING, SL_DIR | SL_HTACCESS_AUTH, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "requests without TLS are forbidden")
SL_ROW(SL_REQUIRE, "SSLRequire", SL_KIND_EXPRESSION, SL_DIR | SL_HTACCESS_AUTH, SL_APPEND, 0, 0, 0, NULL, 0,
       "expression: requests for which it is not true are forbidden")
SL_ROW(SL_USER_NAME, "SSLUserName", SL_KIND_TEXT, SL_SERVER | SL_DIR | SL_HTACCESS_AUTH, SL_CHILD_WINS, 0, 0, 0, NULL,
       0,
       "variable: its value is the name of the request's user")
SL_ROW(SL_RENEG_BUFFER_SIZE, "SSLRenegBufferSize", SL_KIND_NUMBER, SL_DIR | SL_HTACCESS_AUTH, SL_CHILD_WINS, 0,
       2147483647, 131072, NULL, 0, "bytes of a request's body to keep while the client is asked for a certificate")
SL_ROW(SL_CLIENT_CERT_HEADER, "SecureLayerClientCertHeader", SL_KIND_WORD, SL_SERVER | SL_DIR, SL_CHILD_WINS, 0, 0, 0,
       "off|on|chain", 0, "off, on, chain: the client's certificate in the request header Client-Cert (RFC 9440)")

/* Backends */
SL_ROW(SL_PROXY_ENGINE, "SSLProxyEngine", SL_KIND_FLAG, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 0, NULL, 0,
       "on, off: whether mod_proxy may speak TLS with backends")
SL_ROW(SL_PROXY_PROTOCOL, "SSLProxyProtocol", SL_KIND_PROTOCOLS, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, SL_TLS_ALL,
       NULL, SL_IN_CLIENT_PROFILE, "[+-]TLSv1 TLSv1.1 TLSv1.2 TLSv1.3 all: protocol versions with backends")
SL_ROW(SL_PROXY_CIPHERS, "SSLProxyCipherSuite", SL_KIND_CIPHERS, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_CLIENT_PROFILE, "[SSL|TLSv1.3] list: cipher suites with backends")
SL_SLOT(SL_PROXY_SUITES, "SSLProxyCipherSuite TLSv1.3", SL_KIND_TEXT, 0, SL_CHILD_WINS, 0, 0, 0, NULL,
        SL_IN_CLIENT_PROFILE, NULL)
SL_SLOT(SL_PROXY_GROUPS, "SSLPolicy", SL_KIND_TEXT, 0, SL_CHILD_WINS, 0, 0, 0, NULL, SL_IN_CLIENT_PROFILE, NULL)
SL_ROW(SL_PROXY_VERIFY, "SSLProxyVerify", SL_KIND_WORD, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 0,
       "none|optional|require|optional_no_ca|off=none|on=require", SL_IN_CLIENT_PROFILE,
       "none, optional, require, optional_no_ca: whether a backend's certificate must be of a known CA")
SL_ROW(SL_PROXY_VERIFY_DEPTH, "SSLProxyVerifyDepth", SL_KIND_NUMBER, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 2147483647,
       1, NULL, SL_IN_CLIENT_PROFILE, "number: longest chain above a backend's certificate")
SL_ROW(SL_PROXY_CA_FILE, "SSLProxyCACertificateFile", SL_KIND_FILE, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 0,
       SL_SYSTEM_CAS, SL_IN_CLIENT_PROFILE,
       "file with the CA certificates that backends are checked against, or system: those of the operating system")
SL_ROW(SL_PROXY_CA_PATH, "SSLProxyCACertificatePath", SL_KIND_DIR, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_CLIENT_PROFILE, "directory with hashed CA certificates that backends are checked against")
SL_ROW(SL_PROXY_CRL_FILE, "SSLProxyCARevocationFile", SL_KIND_FILE, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_CLIENT_PROFILE, "file with certificate revocation lists of the backends' CAs")
SL_ROW(SL_PROXY_CRL_PATH, "SSLProxyCARevocationPath", SL_KIND_DIR, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_CLIENT_PROFILE, "directory with hashed certificate revocation lists of the backends' CAs")
SL_ROW(SL_PROXY_CRL_CHECK, "SSLProxyCARevocationCheck", SL_KIND_CRL_CHECK, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 0,
       NULL, SL_IN_CLIENT_PROFILE,
       "none, leaf, chain [no_crl_for_cert_ok]: which certificates of a backend need a revocation list")
SL_ROW(SL_PROXY_CHECK_EXPIRE, "SSLProxyCheckPeerExpire", SL_KIND_FLAG, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 1,
       NULL, SL_IN_CLIENT_PROFILE, "on, off: whether a backend's certificate must be in date")
SL_ROW(SL_PROXY_CHECK_CN, "SSLProxyCheckPeerCN", SL_KIND_FLAG, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 2, NULL,
       SL_IN_CLIENT_PROFILE, "on, off: whether the first CN of a backend's certificate must be its name; see "
                             "SSLProxyCheckPeerName")
SL_ROW(SL_PROXY_CHECK_NAME, "SSLProxyCheckPeerName", SL_KIND_FLAG, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 2, NULL,
       SL_IN_CLIENT_PROFILE, "on, off: whether a backend's certificate must be for its name")
SL_ROW(SL_PROXY_IDENTITY_FILE, "SSLProxyMachineCertificateFile", SL_KIND_FILE_OR_URI, SL_SERVER | SL_PROXY,
       SL_CHILD_WINS, 0, 0, 0, NULL, SL_IN_CLIENT_PROFILE,
       "file with certificates and their keys to show to backends that ask")
SL_ROW(SL_PROXY_IDENTITY_PATH, "SSLProxyMachineCertificatePath", SL_KIND_DIR, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0,
       0, NULL, SL_IN_CLIENT_PROFILE, "directory with such files")
SL_ROW(SL_PROXY_CHAIN_FILE, "SSLProxyMachineCertificateChainFile", SL_KIND_FILE, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0,
       0, 0, NULL, SL_IN_CLIENT_PROFILE, "file with the intermediate certificates of those")
SL_ROW(SL_PROXY_MUST_STAPLE, "SecureLayerProxyMustStaple", SL_KIND_FLAG, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 0,
       NULL, SL_IN_CLIENT_PROFILE, "on, off: whether a backend must staple an OCSP answer that says good")
SL_ROW(SL_PROXY_OCSP, "SecureLayerProxyOCSP", SL_KIND_OCSP_CHECK, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_CLIENT_PROFILE,
       "off, leaf, on [no_ocsp_for_cert_ok]: which certificates of a backend an OCSP responder is asked about")
SL_ROW(SL_PROXY_PIN, "SecureLayerProxyPin", SL_KIND_PINS, SL_SERVER | SL_PROXY, SL_CHILD_WINS, 0, 0, 0, NULL,
       SL_IN_CLIENT_PROFILE, "sha256//base64 ...: public keys, one of which a backend must have")

/* Directives of old, refused with an explanation */
SL_ROW(SL_LOG, "SSLLog", SL_KIND_REMOVED, SL_ANYWHERE, SL_CHILD_WINS, 0, 0, 0,
       "SSLLog went away with httpd 2.0: use ErrorLog", 0, "removed: use ErrorLog")
SL_ROW(SL_LOG_LEVEL, "SSLLogLevel", SL_KIND_REMOVED, SL_ANYWHERE, SL_CHILD_WINS, 0, 0, 0,
       "SSLLogLevel went away with httpd 2.4: use LogLevel ssl:LEVEL", 0, "removed: use LogLevel")
