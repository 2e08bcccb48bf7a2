# Protocol versions, cipher suites, policies, tickets and renegotiation are as the virtual host's directives say.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(run scratch_dir slurp wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;

my $certs = SL::Certs->new;
my $httpd = SL::Httpd->new(modules => ['http2']);
my @keys  = map { $certs->server('all.test', type => $_, names => ['*.versions.test']) } qw(rsa ecdsa);
my @names;

sub host { my ($name, @lines) = @_; push @names, "$name.versions.test"; return tls_host($names[-1], \@keys, @lines) }

my $low = 'SSLCipherSuite DEFAULT@SECLEVEL=0';
$httpd->config(join '', "Listen 127.0.0.1:\${port_https}\nLogFormat \"%v %{SSL_PROTOCOL}x %{SSL_SESSION_RESUMED}x\" resumed\n",
    "CustomLog logs/resumed resumed\n",
    host('default'),
    host('all',      'SSLProtocol all',                          $low),
    host('minus',    'SSLProtocol all -TLSv1.3 -TLSv1',          $low),
    host('plus',     'SSLProtocol -all +TLSv1.1 +TLSv1.2',       $low),
    host('list',     'SSLProtocol TLSv1.2 TLSv1.3'),
    host('hole',     'SSLProtocol TLSv1.1 TLSv1.3',              $low),
    host('only13',   'SSLProtocol TLSv1.3'),
    host('only12',   'SSLProtocol TLSv1.2'),
    host('modern',   'SSLPolicy modern'),
    host('old',      'SSLPolicy old'),
    host('narrowed', 'SSLPolicy old', 'SSLProtocol TLSv1.2',     'SSLCipherSuite ECDHE-RSA-AES128-GCM-SHA256'),
    host('command',  'SSLOpenSSLConfCmd MinProtocol TLSv1.3',    'SSLOpenSSLConfCmd Ciphersuites TLS_AES_256_GCM_SHA384',
        'SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256'),
    host('suites',   'SSLCipherSuite ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256',
        'SSLCipherSuite TLSv1.3 TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'),
    host('honor',    'SSLCipherSuite SSL ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256', 'SSLHonorCipherOrder on',
        'SSLCipherSuite TLSv1.3 TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'),
    host('weak',     'SSLCipherSuite ALL:eNULL:aNULL@SECLEVEL=0', 'SSLOpenSSLConfCmd CipherString ALL:aNULL:eNULL:@SECLEVEL=0',
        'SSLProtocol TLSv1.2'),
    host('sigalgs',  'SSLOpenSSLConfCmd SignatureAlgorithms RSA-PSS+SHA384:RSA+SHA384'),
    host('tickets',  'SSLSessionTickets on', 'Protocols h2 http/1.1'),
    host('neighbour', 'SSLSessionTickets on', 'Protocols h2 http/1.1'),
    host('noticket', 'SSLSessionTickets off'),
);
page($httpd, @names);
my $checked = $httpd->configtest;
is($checked->{status}, 0, 'httpd -t accepts the configuration') or diag $checked->{err};
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

sub shake { my ($host, @args) = @_; return $client->s_client("$host.versions.test", args => \@args) }

# Which versions does a host speak? The lowest alone, highest alone, and all at once.
my @versions = (['TLSv1', '-tls1'], ['TLSv1.1', '-tls1_1'], ['TLSv1.2', '-tls1_2'], ['TLSv1.3', '-tls1_3']);
my %speaks = (
    default => 'TLSv1.2 TLSv1.3', all => 'TLSv1 TLSv1.1 TLSv1.2 TLSv1.3', minus => 'TLSv1.1 TLSv1.2', plus => 'TLSv1.1 TLSv1.2',
    list => 'TLSv1.2 TLSv1.3', hole => 'TLSv1.3', only13 => 'TLSv1.3', only12 => 'TLSv1.2', modern => 'TLSv1.3',
    old => 'TLSv1 TLSv1.1 TLSv1.2 TLSv1.3', narrowed => 'TLSv1.2', command => 'TLSv1.3',
);
for my $host (sort keys %speaks) {
    my @spoken = grep { my $s = shake($host, $_->[1], '-cipher', 'DEFAULT@SECLEVEL=0'); $s->{connected} && $s->{protocol} eq $_->[0] } @versions;
    is(join(' ', map { $_->[0] } @spoken), $speaks{$host}, "$host: speaks $speaks{$host}");
}
my $s = shake('default', '-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0');
is($s->{alert_number}, 70, 'a version too low: the alert protocol_version');
$s = shake('default', '-tls1_2', '-fallback_scsv');
is($s->{alert_number}, 86, 'a client that fell back without need: the alert inappropriate_fallback');
ok(shake('only12', '-tls1_2', '-fallback_scsv')->{connected}, '... not where it could do no better');

# Suites
my @both = ('ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305', 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256');
is(shake('suites', '-tls1_2', '-cipher', $both[0])->{cipher}, 'ECDHE-RSA-AES128-GCM-SHA256', 'TLS 1.2: the client\'s order counts');
is(shake('honor', '-tls1_2', '-cipher', $both[0])->{cipher}, 'ECDHE-RSA-CHACHA20-POLY1305', '... SSLHonorCipherOrder on: the server\'s');
is(shake('suites', '-tls1_3', '-ciphersuites', $both[1])->{cipher}, 'TLS_AES_128_GCM_SHA256', 'TLS 1.3: the client\'s order counts');
is(shake('honor', '-tls1_3', '-ciphersuites', $both[1])->{cipher}, 'TLS_CHACHA20_POLY1305_SHA256', '... SSLHonorCipherOrder on: the server\'s');
for my $suite (['-tls1_2', '-cipher', 'ECDHE-RSA-AES256-GCM-SHA384'], ['-tls1_3', '-ciphersuites', 'TLS_AES_256_GCM_SHA384']) {
    $s = shake('suites', @$suite);
    ok(!$s->{connected}, "$suite->[2] is not in the list: refused");
    is($s->{alert_number}, 40, '... by the alert handshake_failure');
    ok(shake('default', @$suite)->{connected}, '... but not by a host that says nothing');
}
is(shake('narrowed', '-cipher', 'ALL')->{cipher}, 'ECDHE-RSA-AES128-GCM-SHA256', 'SSLCipherSuite goes before SSLPolicy');
is(shake('command')->{cipher}, 'TLS_AES_256_GCM_SHA384', 'SSLOpenSSLConfCmd goes before SSLCipherSuite');
for my $never ('aNULL', 'eNULL') {
    ok(!shake('weak', '-tls1_2', '-cipher', "$never\@SECLEVEL=0")->{connected}, "$never is never agreed on, whatever the lists say");
}
ok(shake('weak', '-tls1_2', '-cipher', 'ALL:@SECLEVEL=0')->{connected}, '... other weak ones are');
$s = shake('sigalgs', '-tls1_3');
like($s->{text}, qr/^Peer signing digest: SHA384/m, 'SSLOpenSSLConfCmd SignatureAlgorithms');
ok(!shake('old', '-tls1_2', '-cipher', 'RC4:NULL@SECLEVEL=0')->{connected}, 'SSLPolicy old: not that old');
is(shake('old', '-tls1', '-cipher', 'AES128-SHA@SECLEVEL=0')->{cipher}, 'AES128-SHA', '... but this');
is(shake('old', '-tls1_2', '-cipher', 'AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256@SECLEVEL=0')->{cipher}, 'ECDHE-RSA-AES128-GCM-SHA256',
    '... and in the order of the server');
ok(!shake('default', '-tls1_2', '-cipher', 'AES128-SHA')->{connected}, 'by default no suite without forward secrecy');

# Resumption
my $scratch = scratch_dir('sl-sessions');
sub get {
    my ($host, @args) = @_;
    return $client->s_client("$host.versions.test", args => \@args,
        input => "GET / HTTP/1.1\r\nHost: $host.versions.test\r\nConnection: close\r\n\r\n");
}
for my $version (qw(tls1_2 tls1_3)) {
    my $session = "$scratch/$version";
    my $first = get('tickets', "-$version", '-sess_out', $session);
    is($first->{resumed}, 0, "$version: the first handshake is a full one");
    like($first->{text}, qr/session ticket:/i, '... and brings a ticket');
    my $second = get('tickets', "-$version", '-sess_in', $session);
    is($second->{resumed}, 1, '... which the second resumes');
    like($second->{out}, qr/^this is tickets/m, '... and is served');
    is(get('neighbour', "-$version", '-sess_in', $session)->{resumed}, 0, '... not at another virtual host');
    is(get('default', "-$version", '-sess_in', $session)->{resumed}, 0, '... nor at one with other settings');
    is(get('tickets', "-$version", '-sess_in', $session)->{resumed}, 1, '... but at its own again');
    my $other = get('noticket', "-$version", '-sess_out', "$session-none");
    unlike($other->{text}, qr/session ticket:/i, "$version: SSLSessionTickets off: no ticket");
    is(get('noticket', "-$version", '-sess_in', -e "$session-none" ? "$session-none" : $session)->{resumed}, 0, '... and no resumption');
}
my $again = 'https://tickets.versions.test:' . $httpd->port('https') . '/';
my $r = $client->curl($again, args => ['-H', 'Connection: close', ('-o', '/dev/null', $again) x 2]);
is($r->{status}, 0, 'curl gets a page three times, each over a connection of its own') or diag $r->{err};
my $log = $httpd->root . '/logs/resumed';
my $seen = wait_until(sub { my @l = slurp($log) =~ /^tickets\.versions\.test TLSv1\.3 (\w+)$/mg; @l >= 6 ? "@l[-3 .. -1]" : undef }, 10);
is($seen, 'Initial Resumed Resumed', '... the second and third resumed');
for my $priority ('NORMAL:-VERS-ALL:+VERS-TLS1.2', 'NORMAL:-VERS-ALL:+VERS-TLS1.3') {
    my $g = $client->gnutls('tickets.versions.test', args => ['--resume', '--priority', $priority]);
    like($g->{text}, qr/This is a resumed session/, "gnutls-cli resumes too ($priority)");
}

# How many tickets: each TLS 1.3 ticket is good for one connection of a client that opens several.
my @counts = (['no ALPN', 1], ['h2', 1, '-alpn', 'h2,http/1.1'], ['http/1.1', 2, '-alpn', 'http/1.1']);
for my $count (@counts) {
    my ($label, $want, @args) = @$count;
    # The tickets come before the answer; to no sensible HTTP/2 it is the end of the connection.
    my $t = get('tickets', '-tls1_3', @args);
    my $tickets = () = $t->{text} =~ /^Post-Handshake New Session Ticket arrived/mg;
    is($tickets, $want, "$label: $want TLS 1.3 ticket" . ($want > 1 ? 's' : ''));
}

# Renegotiation that the client begins
$s = run([@{ $client->s_client_command('default.versions.test', { args => ['-tls1_2', '-state'] }) }], stdin => "R\n", timeout => 10);
like($s->{err}, qr/alert read:warning:no renegotiation/, 'TLS 1.2: a client that begins to renegotiate gets the alert no_renegotiation');
my $g = $client->gnutls('default.versions.test', input => "GET / HTTP/1.0\r\n\r\n",
    args => ['--rehandshake', '--priority', 'NORMAL:-VERS-ALL:+VERS-TLS1.2']);
like($g->{text}, qr/Received alert \[100\].*ReHandshake has failed/s, '... gnutls-cli too');
is($client->curl('https://default.versions.test/')->{code}, 200, 'others are served on');
$httpd->stop;
done_testing;
