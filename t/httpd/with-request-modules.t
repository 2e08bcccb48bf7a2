# mod_rewrite, mod_headers, mod_setenvif, mod_auth_basic, mod_cgid, mod_lua, mod_dav and mod_proxy_http to a plain backend
# find the variables of TLS, and HTTPS, where they find them with mod_ssl: over HTTP/1.1, HTTP/2 and without TLS.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Bodies qw(pattern digest_of);
use SL::Certs;
use SL::Client;
use SL::Command qw(scratch_dir slurp spew);
use SL::Conf qw(tls_host);
use SL::Httpd;

my $certs = SL::Certs->new;
my $cert  = $certs->server('one.test', type => 'ecdsa');
my $ca    = $certs->ca('client-ca');
my $ann   = $certs->client('ann', subject => '/O=Example/CN=ann/emailAddress=ann@example.test');
my $body  = scratch_dir('dav') . '/body';
spew($body, pattern(20 << 20));
my $xml = '<?xml version="1.0"?><propfind xmlns="DAV:"><prop><getcontentlength/><resourcetype/></prop></propfind>';

# The same lines for the host with TLS and the one without.
sub lines {
    my ($httpd) = @_;
    return split /\n/, <<"CONF";
RewriteEngine on
RewriteCond %{HTTPS} =on
RewriteRule ^/where\$ - [E=WHERE:secure-%{SSL:SSL_PROTOCOL}-%{SSL:SSL_TLS_SNI}]
RewriteCond %{HTTPS} !=on
RewriteRule ^/where\$ - [E=WHERE:plain-%{SSL:SSL_PROTOCOL}]
RewriteCond %{SSL:SSL_CLIENT_S_DN_CN} =ann
RewriteRule ^/for-ann\$ /cgi/show [PT]
RewriteCond %{HTTPS} off
RewriteRule ^/must-be-secure\$ https://one.test/there [R=301,L]
RewriteRule ^/where\$ /cgi/show [PT]
SetEnvIfExpr "%{SSL_PROTOCOL} =~ /^TLS/" IS_TLS=yes
SetEnvIfExpr "%{HTTPS} == 'on'" IS_HTTPS=yes
SetEnvIf X-Set (.+) SET_BY=\$1
RequestHeader set X-Protocol "%{SSL_PROTOCOL}s"
RequestHeader set X-Client "%{SSL_CLIENT_S_DN}s"
RequestHeader set X-Pem "%{SSL_CLIENT_CERT}s"
RequestHeader set X-Only-Tls yes env=IS_HTTPS
Header always set X-Resumed "%{SSL_SESSION_RESUMED}s %{SSL_NO_SUCH}s"
Header set X-Sni "expr=%{SSL_TLS_SNI}"
ScriptAlias /cgi/ "$httpd->{root}/cgi/"
CONF
}

sub locations {
    my ($httpd) = @_;
    my $root = $httpd->root;
    return <<"CONF";
LuaMapHandler ^/lua\$ "$root/conf/show.lua" handle
<LocationMatch ^/(?:cgi/|where|for-ann)>
    CGIPassAuth On
    SSLOptions +StdEnvVars
</LocationMatch>
<Location /cgi/fake-user>
    AuthType Basic
    AuthName fake
    AuthBasicProvider file
    AuthUserFile "$root/conf/users"
    SSLOptions +FakeBasicAuth
    Require valid-user
</Location>
<Location /cgi/fake-for-backend>
    AuthBasicFake "%{SSL_CLIENT_S_DN_Email}" "%{SSL_PROTOCOL}"
</Location>
DavLockDB "$root/work/lock"
Alias /dav "$root/work/dav"
<Location /dav>
    Dav On
</Location>
ProxyPass /backend http://127.0.0.1:\${port_backend}/cgi/show
<VirtualHost 127.0.0.1:\${port_backend}>
    ServerName backend.test
    ScriptAlias /cgi/ "$root/cgi/"
</VirtualHost>
CONF
}

my @shown = qw(HTTPS SSL_PROTOCOL SSL_TLS_SNI SSL_CLIENT_VERIFY SSL_CLIENT_S_DN WHERE IS_TLS IS_HTTPS SET_BY REMOTE_USER HTTP_AUTHORIZATION
    HTTP_X_PROTOCOL HTTP_X_CLIENT HTTP_X_PEM HTTP_X_ONLY_TLS REQUEST_SCHEME SERVER_NAME);

sub httpd {
    my ($tls) = @_;
    my $httpd = SL::Httpd->new(tls => $tls, name => $tls, full_stacks => 1,
        modules => [qw(rewrite headers env auth_basic cgid lua dav dav_fs dav_lock proxy_http http2)]);
    $httpd->file('cgi/show', "#!/usr/bin/perl\nprint \"Content-Type: text/plain\\n\\n\", map {\"\$_=\" . (\$ENV{\$_} // '-') . \"\\n\"} qw(@shown);\n");
    $httpd->file("cgi/$_", slurp($httpd->root . '/cgi/show')) for qw(fake-user fake-for-backend);
    # The password of FakeBasicAuth: "password".
    $httpd->file('conf/users', "/O=Example/CN=ann/emailAddress=ann\@example.test:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n");
    $httpd->file('conf/show.lua', <<'LUA');
function handle(r)
    r.content_type = "text/plain"
    r:puts("https=", tostring(r.is_https), "\nprotocol=", tostring(r:ssl_var_lookup("SSL_PROTOCOL")), "\nclient=",
        tostring(r:ssl_var_lookup("SSL_CLIENT_S_DN_CN")), "\nnone=", tostring(r:ssl_var_lookup("SSL_NO_SUCH")), "\n")
    return apache2.OK
end
LUA
    $httpd->file('docs/there', "there\n");
    mkdir $httpd->root . '/work/dav';
    chmod 01777, $httpd->root . '/work/dav';
    my @lines = lines($httpd);
    $httpd->config("Listen 127.0.0.1:\${port_https}\nListen 127.0.0.1:\${port_http}\nListen 127.0.0.1:\${port_backend}\nProtocols h2 http/1.1\n"
            . "ScriptSock \${root}/run/cgi\nSSLSessionCache none\n" . locations($httpd)
            . tls_host('one.test', $cert, "SSLCACertificateFile \"$ca\"", 'SSLVerifyClient optional', @lines) =~ s{DocumentRoot.*}{DocumentRoot "\${docs}"}r
            . "<VirtualHost *:\${port_http}>\n ServerName one.test\n" . join("\n ", '', @lines) . "\n</VirtualHost>\n");
    return $httpd;
}

sub asked {
    my ($tls) = @_;
    my $httpd = httpd($tls);
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    my $client = SL::Client->new(port => $httpd->port('https'));
    my %got;
    my $keep = sub {
        my ($name, $r) = @_;
        $got{$name} = join "\n", "$r->{code} HTTP/$r->{version}", map({"$_: " . ($r->{headers}{$_} // '-')} qw(x-resumed x-sni location)), $r->{body};
        $got{$name} =~ s/\b\Q$_\E\b/PORT/g for $httpd->port('https'), $httpd->port('http'), $httpd->port('backend');
        $got{$name} =~ s/<lp1:getetag>.*?>|Date:.*//g;
    };
    for my $how (['TLS 1.2', ['--tls-max', '1.2']], ['TLS 1.3', ['--tlsv1.3']], ['TLS 1.3, h2', ['--tlsv1.3'], http => 2], ['TLS 1.2, nobody', ['--tls-max', '1.2'], cert => undef]) {
        my ($name, $args, %o) = @$how;
        %o = (cert => $ann, %o);
        for my $path (qw(/where /for-ann /must-be-secure /cgi/fake-user /cgi/fake-for-backend /lua /backend /there)) {
            $keep->("$name $path", $client->curl("https://one.test$path", %o, args => [@$args, '-H', 'X-Set: by a header']));
        }
        (my $file = "/dav/$name") =~ tr/ ,//d;
        my $put = $client->curl("https://one.test$file", %o, args => [@$args, '-T', $body]);
        $keep->("$name PUT", $put);
        $got{"$name PUT: arrived"} = digest_of(slurp($httpd->root . "/work$file"));
        $got{"$name GET"} = digest_of($client->curl("https://one.test$file", %o, args => $args)->{body});
        my $found = $client->curl("https://one.test$file", %o, args => [@$args, '-X', 'PROPFIND', '-H', 'Depth: 0', '-H', 'Content-Type: text/xml', '-d', $xml]);
        $keep->("$name PROPFIND", $found);
        # Destination has to name the scheme that the request came by.
        $keep->("$name MOVE", $client->curl("https://one.test$file", %o, args => [@$args, '-X', 'MOVE', '-H', "Destination: https://one.test:@{[$httpd->port('https')]}$file.moved"]));
    }
    for my $path (qw(/where /for-ann /must-be-secure /cgi/fake-user /cgi/fake-for-backend /lua /backend)) {
        $keep->("plain $path", $client->curl('http://one.test:' . $httpd->port('http') . $path));
    }
    $httpd->stop;
    return \%got;
}

my $ours = asked('securelayer');
if (!$ENV{SL_SAN}) {
    my $theirs = asked('mod_ssl');
    is($ours->{$_}, $theirs->{$_}, "$_: as with mod_ssl") for sort keys %$theirs;
}

for my $how ('TLS 1.2', 'TLS 1.3', 'TLS 1.3, h2') {
    my ($version, $http) = ($how =~ /(1\.\d)/, $how =~ /h2/ ? 2 : '1.1');
    my $subject = 'emailAddress=ann\@example.test,CN=ann,O=Example';
    like($ours->{"$how /where"}, qr{^200 HTTP/$http\n}, "$how: a request");
    like($ours->{"$how /where"}, qr/^WHERE=secure-TLSv$version-one\.test$/m, '... mod_rewrite: %{HTTPS}, %{SSL:...}');
    like($ours->{"$how /for-ann"}, qr{^200 .*^SSL_CLIENT_S_DN=$subject$}ms, '... of the client\'s certificate');
    like($ours->{"$how /must-be-secure"}, qr/^404 /, '... no redirect to where it is already');
    like($ours->{"$how /where"}, qr/^IS_TLS=yes\nIS_HTTPS=yes\nSET_BY=by a header$/m, '... mod_setenvif');
    like($ours->{"$how /where"}, qr/^x-resumed: Initial \(null\)\nx-sni: one\.test$/m, '... mod_headers, responses');
    like($ours->{"$how /backend"}, qr/^HTTP_X_PROTOCOL=TLSv$version\nHTTP_X_CLIENT=$subject\nHTTP_X_PEM=-----BEGIN CERTIFICATE-----.*-----END CERTIFICATE-----\s*\nHTTP_X_ONLY_TLS=yes$/m,
        '... requests to a plain backend');
    like($ours->{"$how /backend"}, qr/^HTTPS=-\nSSL_PROTOCOL=-$/m, '... which has no TLS of its own');
    like($ours->{"$how /cgi/fake-user"}, qr{^200 .*^REMOTE_USER=/O=Example/CN=ann/emailAddress=ann\@example\.test$}ms, '... mod_auth_basic: FakeBasicAuth');
    like($ours->{"$how /cgi/fake-for-backend"}, qr/^HTTP_AUTHORIZATION=Basic YW5uQGV4YW1wbGUudGVzdDpUTFN2/m, '... AuthBasicFake by expression');
    like($ours->{"$how /lua"}, qr/^https=true\nprotocol=TLSv$version\nclient=ann\nnone=(?:nil)?$/m, '... mod_lua');
    like($ours->{"$how PUT"}, qr/^201 /, '... mod_dav: 20 MB go up');
    is($ours->{"$how PUT: arrived"}, digest_of(pattern(20 << 20)), '... unharmed');
    is($ours->{"$how GET"}, digest_of(pattern(20 << 20)), '... and down');
    like($ours->{"$how PROPFIND"}, qr/^207 .*getcontentlength>20971520</ms, '... PROPFIND');
    like($ours->{"$how MOVE"}, qr/^201 /, '... MOVE: the scheme is https');
}
like($ours->{'TLS 1.2, nobody /cgi/fake-user'}, qr/^401 /, 'no certificate: FakeBasicAuth lets nobody in');
like($ours->{'TLS 1.2, nobody /for-ann'}, qr/^404 /, '... mod_rewrite sees none');
like($ours->{'plain /where'}, qr/^200 .*^WHERE=plain-$/ms, 'without TLS: mod_rewrite');
like($ours->{'plain /must-be-secure'}, qr{^301 .*^location: https://one\.test/there$}ms, '... redirects');
like($ours->{'plain /lua'}, qr/^https=false$/m, '... mod_lua');
done_testing;
