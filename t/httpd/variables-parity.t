# Every variable mod_ssl has, asked in every way there is, has the same value, byte for byte, with us.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Command qw(run);
use SL::Parity;
use SL::Variables;

my $certs = SL::Certs->new;
my @san = (
    'email:ann@example.test', 'email:second@example.test', 'DNS:ann.example.test', 'DNS:*.ann.example.test', 'IP:192.0.2.7',
    'IP:2001:db8::7', 'URI:urn:example:ann', 'otherName:msUPN;UTF8:ann@corp.example', 'otherName:msUPN;UTF8:zoë@corp.example',
    'otherName:1.3.6.1.5.5.7.8.7;IA5STRING:_ldap.example.test', 'RID:1.2.3.4', 'otherName:1.2.3.4;UTF8:other',
);
my $rich_dn = '/C=DE/ST=Sachsen/L=Görlitz/O=Größe, "Söhne" \\+ Co\/KG/OU=First/OU=Zweite Ünit/OU=#3/CN=Änn Öther/CN=second name'
    . '/title=Dr./initials=A.Ö./GN=Änn/SN=Öther/description=tab' . "\there" . '/serialNumber=4711/UID=ann'
    . '/x500UniqueIdentifier=unique/emailAddress=ann@example.test/DC=example';
# No whole number of days is left, so that none ends between the two runs.
sub server { return $certs->server(@_, end => '+2190h') }
sub client { my ($name, %o) = @_; return $certs->client($name, end => '+2190h', %o) }

my %server = (
    rsa => server('rsa.test', type => 'rsa',
        names => [qw(rsa.test *.rsa.test email:post@rsa.test IP:127.0.0.1 otherName:1.3.6.1.5.5.7.8.7;IA5STRING:_https.rsa.test),
            'otherName:msUPN;UTF8:host@corp.example'],
        subject => '/C=DE/O=Sérver/OU=One/OU=Two/CN=rsa.test'),
    ec => server('ec.test', type => 'ecdsa'),
);
my %client = (
    rich         => client('rich',  names => \@san, subject => $rich_dn),
    'ECDSA'      => client('ec',    type  => 'ecdsa'),
    Ed25519      => client('ed',    type  => 'ed25519'),
    intermediate => client('deep',  issuer => 'client-intermediate'),
    expired      => client('late',  end    => '-1d'),
    stranger     => client('other', issuer => 'other-ca'),
    self         => client('self',  issuer => 'self'),
    extensions   => client('ext',   extensions => "1.2.3.4=ASN1:UTF8String:hello\n1.2.3.5=ASN1:IA5STRING:five\n"
            . "1.2.3.6=ASN1:INTEGER:6\n1.2.3.7=ASN1:BMPSTRING:seven\nnsComment=a comment\n"),
);
my %unknown = map { $_ => 1 } qw(stranger self intermediate);    # the last sends its certificate without the chain
my $ca = $certs->ca('client-ca');

# vhosts: NAME-KIND.test, KIND one of rsa and ec
my %vhosts = (
    plain  => '',
    asks   => "SSLCACertificateFile \"$ca\"\nSSLVerifyClient optional\nSSLVerifyDepth 3",
    needs  => "SSLCACertificateFile \"$ca\"\nSSLVerifyClient require\nSSLVerifyDepth 3",
    free   => "SSLCACertificateFile \"$ca\"\nSSLVerifyClient optional_no_ca\nSSLVerifyDepth 3",
    legacy => "SSLCACertificateFile \"$ca\"\nSSLVerifyClient optional\nSSLOptions +LegacyDNStringFormat",
);

sub config {
    my ($httpd) = @_;
    $httpd->config(SL::Variables::config($httpd));
    $httpd->config("Listen 127.0.0.1:\${port_https}\nServerAdmin admin\@example.test\n");
    for my $kind (sort keys %server) {
        for my $name (sort keys %vhosts) {
            $httpd->config(<<"CONF" . SL::Variables::ask() . "</VirtualHost>\n");
<VirtualHost *:\${port_https}>
    ServerName $name-$kind.test
    SSLEngine on
    SSLProtocol all -SSLv3 -TLSv1 -TLSv1.1
    SSLCertificateFile "$server{$kind}{cert}"
    SSLCertificateKeyFile "$server{$kind}{key}"
    SSLOptions +StdEnvVars +ExportCertData
    $vhosts{$name}
CONF
        }
    }
}

# What differs from one run to the next: ports, directories, the clock, sessions.
sub normal {
    my ($httpd, $told) = @_;
    my ($port, $root) = ($httpd->port('https'), $httpd->root);
    my %new = map { $_ => 1 } @SL::Variables::new;
    delete @$told{ grep { / (\S+)$/ && $new{$1} } keys %$told };
    for my $key (keys %$told) {
        $told->{$key} =~ s/\b$port\b/PORT/g;
        $told->{$key} =~ s/\Q$root\E/ROOT/g;
        $told->{$key} =~ s{OpenSSL/\d[\w.-]*}{OpenSSL/VERSION} if $key =~ /LIBRARY|SERVER_SOFTWARE/;    # built with another
        $told->{$key} =~ s/\d/9/g              if $key =~ / TIME(?:_|$)/ && $key !~ /WDAY|YEAR/;
        $told->{$key} =~ s/^[0-9a-f]{64}$/ID/ if $key =~ / SSL_SESSION_ID$/;
    }
    return $told;
}

sub ask {
    my ($name, @more) = @_;
    return sub {
        my ($client, $httpd) = @_;
        my $r = $client->s_client($name, @more, timeout => 8,
            input => "GET /cgi/vars/path?query HTTP/1.0\r\nHost: $name\r\nUser-Agent: a \"test\"\r\nX-Test: x\r\nCookie: c=1\r\n\r\n");
        my ($body) = $r->{out} =~ /\r\n\r\n(.*?)end\n/s or return { body => 'none: ' . ($r->{alert} // '') };
        return normal($httpd, SL::Variables::told($httpd, $body));
    };
}

# With optional_no_ca mod_ssl's verdict on an unknown issuer depends on the TLS version and on when it is asked: those
# requests are compared without it, then the verdict alone.
sub verdict_apart {
    my ($run) = @_;
    my %verdict;
    my $split = sub {
        my ($client, $httpd) = @_;
        my $told = $run->($client, $httpd);
        $verdict{$httpd} = { map { $_ => delete $told->{$_} } grep {/ SSL_CLIENT_VERIFY$/} keys %$told };
        return $told;
    };
    return ($split, sub { my ($client, $httpd) = @_; return $verdict{$httpd} });
}

my (@requests, %differs);
for my $version ('1.2', '1.3') {
    (my $flag = "-tls$version") =~ tr/./_/;
    for my $kind (sort keys %server) {
        my $here = "TLS $version, $kind";
        my $request = sub { my ($name, $host, @more) = @_;
            push @requests, { name => "$here, $name", run => ask($host, args => [$flag], @more) } };
        $request->('no client certificate asked for', "plain-$kind.test");
        $request->('no client certificate sent',      "asks-$kind.test");
        $request->('optional_no_ca, none sent',       "free-$kind.test");
        $request->('unknown name',                    'nobody.test');
        $request->('no name', "asks-$kind.test", sni => '', cert => $client{rich});
        $request->($_, "asks-$kind.test", cert => $client{$_}) for sort keys %client;
        $request->("optional_no_ca, $_", "free-$kind.test", cert => $client{$_}) for sort grep { !$unknown{$_} } keys %client;
        for my $who (sort keys %unknown) {
            my ($rest, $verdict) = verdict_apart(ask("free-$kind.test", args => [$flag], cert => $client{$who}));
            push @requests, { name => "$here, optional_no_ca, $who", run => $rest },
                { name => "$here, optional_no_ca, $who, the verdict", run => $verdict };
            $differs{"$here, optional_no_ca, $who, the verdict"} = {
                row => 'optional_no_ca', map { ("$_ SSL_CLIENT_VERIFY" => 'GENEROUS') } qw(env expr ssl() rewrite headers log)
            };
        }
        $request->('required',             "needs-$kind.test",  cert => $client{rich});
        $request->('LegacyDNStringFormat', "legacy-$kind.test", cert => $client{rich});
        push @requests, { name => "$here, chain", run => ask("asks-$kind.test",
                args => [$flag, '-cert_chain', $client{intermediate}{chain}], cert => $client{intermediate}) };
    }
}

parity(
    name     => 'variables',
    config   => \&config,
    modules  => [qw(cgi env headers rewrite)],
    requests => \@requests,
    differs  => \%differs,
);

# ---- suites, versions, sections, extensions, resumption, plain HTTP ----

my @extensions = map {
    my $oid = $_;
    map {"SetEnvIfExpr \"'$_' in PeerExtList('$oid')\" \"X_$oid $_\"\n"} 'hello', 'five', '6', 'seven', 'a comment',
        'TLS Web Client Authentication', ''
} qw(1.2.3.4 1.2.3.5 1.2.3.6 1.2.3.7 nsComment 2.16.840.1.113730.1.13 extendedKeyUsage 9.9.9 nonsense);

sub sections {
    my ($httpd) = @_;
    my $ask = SL::Variables::ask();
    $httpd->config(SL::Variables::config($httpd));
    $httpd->config(<<"CONF");
Listen 127.0.0.1:\${port_https}
Listen 127.0.0.1:\${port_http}
ServerAdmin admin\@example.test
ScriptAliasMatch ^/(?:none|std|cert|both|legacy)/vars "\${cgi}/vars"
<LocationMatch ^/(?:std|both|legacy)/>
    SSLOptions +StdEnvVars
</LocationMatch>
<LocationMatch ^/(?:cert|both)/>
    SSLOptions +ExportCertData
</LocationMatch>
<Location /legacy/>
    SSLOptions +LegacyDNStringFormat
</Location>
<VirtualHost *:\${port_https}>
    ServerName sections.test
    SSLEngine on
    SSLProtocol all
    SSLCipherSuite ALL:\@SECLEVEL=0
    SSLCertificateFile "$server{rsa}{cert}"
    SSLCertificateKeyFile "$server{rsa}{key}"
    SSLCACertificateFile "$ca"
    SSLVerifyClient optional
    @extensions
$ask</VirtualHost>
<VirtualHost *:\${port_http}>
    ServerName plain.test
    SSLOptions +StdEnvVars +ExportCertData
$ask</VirtualHost>
CONF
}

sub get { return "GET $_[0] HTTP/1.1\r\nHost: $_[1]\r\n" . ($_[2] // '') . "\r\n" }

# Requests for several sections on one connection: what one section exports must not show in another.
sub one_connection {
    my ($client, $httpd) = @_;
    my $stream = $client->tls('sections.test', cert => $client{rich});
    my (%all, $n);
    for my $section (qw(none std legacy std cert both none legacy both)) {
        $stream->send(get("/$section/vars", 'sections.test'));
        my $told = normal($httpd, SL::Variables::told($httpd, ($stream->response || {})->{body} // ''));
        my $at = ++$n . " $section";
        $all{"$at $_"} = $told->{$_} for keys %$told;
    }
    $stream->close;
    return \%all;
}

sub resumed {
    my ($flag) = @_;
    return sub {
        my ($client, $httpd) = @_;
        my ($file, %all) = ($httpd->root . "/session$flag");
        for my $time (1, 2) {
            my $r = $client->s_client('sections.test', cert => $client{rich},
                args => [$flag, $time == 1 ? '-sess_out' : '-sess_in', $file],
                input => "GET /both/vars HTTP/1.0\r\nHost: sections.test\r\n\r\n");
            my ($body) = $r->{out} =~ /\r\n\r\n(.*?)end\n/s;
            my $told = normal($httpd, SL::Variables::told($httpd, $body // ''));
            $all{"$time $_"} = $told->{$_} for keys %$told;
        }
        return \%all;
    };
}

sub plain {
    my ($client, $httpd) = @_;
    my $r = $client->curl('http://plain.test:' . $httpd->port('http') . '/both/vars');
    my $told = normal($httpd, SL::Variables::told($httpd, $r->{body}));
    my $port = $httpd->port('http');
    s/\b$port\b/PORT/g for values %$told;
    return $told;
}

sub over {
    my ($name, @args) = @_;
    return { name => $name, run => ask('sections.test', args => ['-cipher', 'ALL:@SECLEVEL=0', @args], cert => $client{rich}) };
}

parity(
    name     => 'variables elsewhere',
    config   => \&sections,
    modules  => [qw(cgi env headers rewrite)],
    requests => [
        over('TLS 1.0', '-tls1'), over('TLS 1.1', '-tls1_1'),
        map({ over("suite $_", '-tls1_2', '-cipher', "$_:\@SECLEVEL=0") }
            qw(AES128-SHA AES256-GCM-SHA384 ECDHE-RSA-CHACHA20-POLY1305 CAMELLIA256-SHA ARIA128-GCM-SHA256)),
        map({ over("suite $_", '-tls1_3', '-ciphersuites', $_) } qw(TLS_AES_128_GCM_SHA256 TLS_CHACHA20_POLY1305_SHA256)),
        { name => 'extensions', run => ask('sections.test', cert => $client{extensions}) },
        { name => 'extensions without a certificate', run => ask('sections.test') },
        { name => 'sections on one connection', run => \&one_connection },
        { name => 'TLS 1.2 resumed', run => resumed('-tls1_2') },
        { name => 'TLS 1.3 resumed', run => resumed('-tls1_3') },
        { name => 'plain HTTP',      run => \&plain },
    ],
);

done_testing;
