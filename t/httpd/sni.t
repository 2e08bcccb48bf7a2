# The virtual host is chosen by the name in the hello, as httpd chooses it by the Host header, and all its settings apply
# from the first byte.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Conf qw(tls_host page);
use SL::Httpd;

my $certs = SL::Certs->new;
my $httpd = SL::Httpd->new;
my %cert  = map { $_ => $certs->server($_, type => 'ecdsa') }
    qw(first.test wild.test late.wild.test named.test early.order.test order.test four.test six.test);
my $ann = $certs->client('ann');

page($httpd, keys %cert, qw(off.test tls12.test tls13.test ours.test auto.test));
my $mine = $cert{'first.test'};
$httpd->config(join '', <<'LISTEN',
Listen 127.0.0.1:${port_https}
Listen [::1]:${port_https}
Listen 127.0.0.1:${port_addresses}
Listen [::1]:${port_addresses}
Listen 127.0.0.2:${port_addresses}
Listen 127.0.0.1:${port_refuse}
Listen 127.0.0.1:${port_settings}
LISTEN
    # By name, in the order of the configuration.
    tls_host('first.test', $cert{'first.test'}),
    tls_host('wild.test', $cert{'wild.test'}, 'ServerAlias *.wild.test w?ld.pattern.test *middle*.test'),
    tls_host('late.wild.test',   $cert{'late.wild.test'}, 'ServerAlias alone.late.test'),
    tls_host('Named.Test', $cert{'named.test'}, 'ServerAlias alias.test OTHER.Alias.test dotted.test.', 'DocumentRoot "${docs}/named.test"'),
    tls_host('early.order.test', $cert{'early.order.test'}),
    tls_host('order.test',       $cert{'order.test'}, 'ServerAlias *.order.test'),
    tls_host('off.test', [], 'SSLEngine off', 'ServerAlias *.off.test'),
    # The same names on several addresses, one virtual host each.
    tls_host({ name => 'four.test', address => '127.0.0.1', port => 'addresses' }, $cert{'four.test'}, 'ServerAlias both.test'),
    tls_host({ name => 'six.test', address => '[::1]', port => 'addresses' }, $cert{'six.test'}, 'ServerAlias both.test'),
    tls_host({ name => 'named.test', address => ['127.0.0.1', '[::1]'], port => 'addresses' }, $cert{'named.test'}),
    tls_host({ name => 'wild.test', port => 'addresses' }, $cert{'wild.test'}, 'ServerAlias both.test'),
    # Refusing unknown names is the business of the default host.
    tls_host({ name => 'first.test', port => 'refuse' }, $mine, 'SecureLayerUnknownName refuse'),
    tls_host({ name => 'wild.test', port => 'refuse' }, $cert{'wild.test'}, 'ServerAlias *.wild.test'),
    tls_host({ name => 'off.test', port => 'refuse' }, [], 'SSLEngine off'),
    # Settings that a handshake under way could not change any more.
    tls_host({ name => 'tls12.test', port => 'settings' }, $mine, 'SSLProtocol TLSv1.2', 'SSLOpenSSLConfCmd Groups P-384',
        'SSLHonorCipherOrder on', 'SSLCipherSuite ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256',
        'SSLSessionTickets off'),
    tls_host({ name => 'tls13.test', port => 'settings' }, $mine, 'SSLProtocol TLSv1.3', 'SSLOpenSSLConfCmd Groups X25519',
        'SSLCipherSuite TLSv1.3 TLS_CHACHA20_POLY1305_SHA256'),
    tls_host({ name => 'ours.test', port => 'settings' }, $mine, 'SSLVerifyClient require',
        "SSLCACertificateFile \"@{[$certs->ca('client-ca')]}\"", 'SSLCipherSuite ECDHE-ECDSA-AES128-GCM-SHA256'),
);
is($httpd->configtest->{status}, 0, 'httpd -t accepts the configuration');
$httpd->start_ok or BAIL_OUT('httpd does not start');

my $v4 = SL::Client->new(port => $httpd->port('https'));
my $v6 = SL::Client->new(port => $httpd->port('https'), ip => '::1');

# The certificate says which virtual host the handshake chose, the page which one httpd chose by the Host header. The
# request says Host: `host`, by default the name itself.
sub chosen {
    my ($client, $name, %o) = @_;
    my $host = $o{host} // $name;
    my $s = $client->s_client($name, input => "GET / HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n", %o);
    my ($certificate) = ($s->{subject} || '') =~ /CN ?= ?(\S+)/;
    my ($page) = $s->{out} =~ /^this is (\S+)/m;
    return ($certificate // "none ($s->{text})", $page // 'none');
}

sub is_chosen {
    my ($client, $name, $want, $claim, %o) = @_;
    my ($certificate, $page) = chosen($client, $name, %o);
    is("$certificate $page", "$want $want", $claim);
}

for my $family (['IPv4', $v4], ['IPv6', $v6]) {
    my ($label, $client) = @$family;
    is_chosen($client, 'named.test', 'named.test', "$label: ServerName");
    is_chosen($client, 'alias.test', 'named.test', "$label: ServerAlias");
    is_chosen($client, 'a.wild.test', 'wild.test', "$label: ServerAlias with *");
    is_chosen($client, 'nobody.test', 'first.test', "$label: a name nobody has gets the first host");
    is_chosen($client, 'first.test', 'first.test', "$label: no name gets the first host", sni => '');
}
is_chosen($v4, 'a.b.wild.test',       'wild.test',        '* stands for several labels');
is_chosen($v4, 'wold.pattern.test',   'wild.test',        '? stands for one character');
is_chosen($v4, 'a-middle-b.test',     'wild.test',        '* anywhere in a pattern');
is_chosen($v4, 'late.wild.test',      'wild.test',        'a pattern beats a later exact name');
is_chosen($v4, 'alone.late.test',     'late.wild.test',   '... which another alias still reaches');
is_chosen($v4, 'early.order.test',    'early.order.test', 'an exact name beats a later pattern');
is_chosen($v4, 'other.order.test',    'order.test',       '... which has what is left');
is_chosen($v4, 'NAMED.tesT',          'named.test',       'capitals in the hello do not count');
is_chosen($v4, 'other.alias.TEST',    'named.test',       '... nor in ServerAlias');
is_chosen($v4, 'A.Wild.Test',         'wild.test',        '... nor with patterns');
is_chosen($v4, 'named.test.',         'named.test',       'a dot at the end does not count');
is_chosen($v4, 'a.wild.test.',        'wild.test',        '... nor with patterns');
is_chosen($v4, 'dotted.test',         'named.test',       '... nor in ServerAlias', host => 'named.test');
is_chosen($v4, 'named.test..',        'first.test',       'two of them do', host => 'first.test');
is_chosen($v4, 'wild.testx',          'first.test',       'a name that only begins alike is another');
is_chosen($v4, '.wild.test',          'wild.test',        'a pattern needs nothing before its dot', host => 'a.wild.test');
is_chosen($v4, 'x' x 200 . '.wild.test', 'wild.test',     'a long name', host => 'a.wild.test');
is_chosen($v4, '127.0.0.1',           'first.test',       'an address is no name of anybody', host => 'first.test');
my ($certificate) = chosen($v4, 'off.test');
is($certificate, 'first.test', 'a host without TLS is not chosen by its name');
($certificate) = chosen($v4, 'x.off.test');
is($certificate, 'first.test', '... nor by its pattern');

my @on = (port => $httpd->port('addresses'));
my ($a4, $a6, $a2) = map { SL::Client->new(port => $httpd->port('addresses'), ip => $_) } qw(127.0.0.1 ::1 127.0.0.2);
is_chosen($a4, 'both.test',  'four.test',  'a name that several addresses have: 127.0.0.1');
is_chosen($a6, 'both.test',  'six.test',   '... ::1');
is_chosen($a2, 'both.test',  'wild.test',  '... any other address');
is_chosen($a4, 'named.test', 'named.test', 'a host with two addresses is found on the first');
is_chosen($a6, 'named.test', 'named.test', '... and on the second');
is_chosen($a4, 'six.test',   'four.test',  'a name of another address alone is unknown here');
is_chosen($a2, 'four.test',  'wild.test',  '... where one host has the address to itself too');

# unrecognized_name
for my $version (qw(tls1_2 tls1_3)) {
    my @o = (port => $httpd->port('refuse'), args => ["-$version"], stay => 1);
    my $s = $v4->s_client('nobody.test', @o);
    ok(!$s->{connected}, "$version: SecureLayerUnknownName refuse: no handshake for a name nobody has");
    is($s->{alert_number}, 112, '... but the alert unrecognized_name');
    $s = $v4->s_client('off.test', @o);
    is($s->{alert_number}, 112, '... also for a name that only a host without TLS has');
    is_chosen($v4, 'a.wild.test', 'wild.test', '... names somebody has are served', @o);
    is_chosen($v4, 'first.test', 'first.test', '... and clients that send none', @o, sni => '');
}
ok($httpd->wait_for_log(qr/SL0104: .*\(unknown-name\).*nobody\.test.*unrecognized name \(112\)/), '... and the log tells');

# Settings from the first byte
my @settings = (port => $httpd->port('settings'), stay => 0);
my $s = $v4->s_client('tls12.test', @settings);
is("$s->{protocol} $s->{group}", 'TLSv1.2 ECDH, secp384r1', 'default host: its version and group') or diag $s->{text};
is($s->{cipher}, 'ECDHE-ECDSA-AES256-GCM-SHA384', '... and cipher suite');
unlike($s->{text}, qr/session ticket/i, '... no ticket');
$s = $v4->s_client('tls13.test', @settings, stay => 1, input => "GET / HTTP/1.0\r\nHost: tls13.test\r\n\r\n");
is("$s->{protocol} $s->{group}", 'TLSv1.3 X25519', 'a host that allows only what the default one forbids') or diag $s->{text};
is($s->{cipher}, 'TLS_CHACHA20_POLY1305_SHA256', '... its cipher suite');
like($s->{text}, qr/session ticket/i, '... and tickets, that the default host has not');
$s = $v4->s_client('tls13.test', @settings, args => ['-groups', 'P-384', '-tls1_3']);
ok(!$s->{connected}, "... but not with the default host's group");
$s = $v4->s_client('tls13.test', @settings, args => ['-tls1_2']);
ok(!$s->{connected}, "... nor with its version");
like($s->{text}, qr/protocol version/, '... and says so');
$s = $v4->s_client('ours.test', @settings, args => ['-tls1_2'], cert => $ann, input => "GET / HTTP/1.0\r\nHost: ours.test\r\n\r\n");
is($s->{cipher}, 'ECDHE-ECDSA-AES128-GCM-SHA256', 'a host with client certificates: its cipher suite');
like($s->{group}, qr/X25519|prime256v1/, '... any group');
like($s->{text}, qr/this is ours\.test/, '... who has a certificate comes in');
$s = $v4->s_client('ours.test', @settings, stay => 1, args => ['-tls1_2']);
ok(!$s->{connected}, '... who has none does not');
$httpd->stop;

# TLS switched on by the listener's protocol. As with mod_ssl the address must be the listener's, letter by letter.
{
    my $auto = SL::Httpd->new(name => 'auto');
    page($auto, 'auto.test');
    my $host = sub {
        my ($address, $port, @lines) = @_;
        (my $text = tls_host({ name => 'auto.test', address => $address, port => $port }, $mine, @lines)) =~ s/^\s*SSLEngine on\n//m;
        return $text;
    };
    $auto->config(join '', "Listen 127.0.0.1:\${port_same} https\nListen 127.0.0.1:\${port_star} https\nListen 127.0.0.1:\${port_off} https\n",
        "Listen 127.0.0.1:\${port_plain}\nListen 127.0.0.1:\${port_protocol}\n",
        $host->('127.0.0.1', 'same'), $host->('*', 'star'), $host->('127.0.0.1', 'off', 'SSLEngine off'),
        $host->('127.0.0.1', 'plain'), $host->('127.0.0.1', 'protocol', 'Protocol https'));
    $auto->start_ok or BAIL_OUT('httpd does not start');
    my %want = (same => 1, star => 0, off => 0, plain => 0, protocol => 1);
    for my $port (sort keys %want) {
        my $got = $v4->s_client('auto.test', port => $auto->port($port));
        is($got->{connected}, $want{$port}, "Listen ... https: '$port' has TLS " . ($want{$port} ? 'on' : 'off'));
    }
    like($v4->curl("https://auto.test:@{[$auto->port('same')]}/", insecure => 1)->{body}, qr/this is auto/, '... and serves');
    $auto->stop;
}
done_testing;
