# Session tickets are good in all processes and over restarts, their keys turn by themselves or come from files, and
# nobody gets further with one than without; the keeper that turns the keys comes and goes with the server.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Command qw(run scratch_dir slurp spew slow stop_process wait_until);
BEGIN { $ENV{SL_CERTS} = scratch_dir('sl-ticket-certs') }    # somebody gets revoked
use SL::Certs;
use SL::Client;
use SL::Conf qw(tls_host page);
use SL::Httpd;

my $certs  = SL::Certs->new;
my $server = $certs->server('any.test', type => 'ecdsa', names => ['*.test']);
my %cert   = (
    ann     => $certs->client('ann', type => 'ecdsa'),
    revoked => $certs->client('later', type => 'ecdsa'),
    below   => $certs->client('below', type => 'ecdsa', issuer => 'client-intermediate'),
);
my $dir = scratch_dir('sl-tickets');
my ($client, $httpd);

sub random { my ($length) = @_; open my $in, '<:raw', '/dev/urandom' or die; my $bytes; read $in, $bytes, $length; return $bytes }
sub keys_file { my ($name, @keys) = @_; my $file = spew("$dir/$name", join '', @keys); chmod 0600, $file; return $file }
sub hex_of { my ($key) = @_; return unpack 'H32', $key }

# One request. in, out: files of sessions. {resumed, name of the key of the last ticket, page, alert_number}
sub ask {
    my ($host, $version, %o) = @_;
    my $s = $client->s_client("$host.test", cert => $o{cert} ? $cert{ $o{cert} } : undef,
        args => ["-$version", $o{in} ? ('-sess_in', "$dir/$o{in}") : (), $o{out} ? ('-sess_out', "$dir/$o{out}") : (),
            ($o{cert} || '') eq 'below' ? ('-cert_chain', $cert{below}{chain}) : ()],
        input => "GET / HTTP/1.1\r\nHost: $host.test\r\nConnection: close\r\n\r\n");
    ($s->{page}) = $s->{out} =~ /^(this is \S+)/m;
    my @tickets = $s->{out} =~ /TLS session ticket:\s*\n\s*0000 - ([0-9a-f -]{47})/g;
    ($s->{name} = $tickets[-1] // '') =~ s/[^0-9a-f]//g;
    return $s;
}

sub processes { my ($text) = slurp($httpd->root . '/logs/processes'); my %seen; $seen{$_}++ for $text =~ /^(\d+) Resumed/mg; return scalar keys %seen }

# The sockets that a process listens on.
sub listening {
    my ($pid) = @_;
    my %listens = map { /^\s*\d+: \S+ \S+ 0A (?:\S+\s+){5}(\d+) /  ? ($1 => 1) : () } map { split /\n/, slurp("/proc/net/$_") } 'tcp', 'tcp6';
    return grep { (readlink($_) // '') =~ /^socket:\[(\d+)\]/ && $listens{$1} } glob "/proc/$pid/fd/*";
}

# ---- one ring for all ----

my $crl = spew("$dir/crl.pem", slurp($certs->crl('client-ca')) . slurp($certs->crl('client-intermediate')));
my @keys = map { random(80) } 1 .. 3;
my ($short, $long, $changing) = (keys_file('short', random(48)), keys_file('long', $keys[0]), keys_file('changing', @keys[1, 0]));
my @trust = ('SSLCACertificateFile "' . $certs->ca('client-ca') . '"', 'SSLVerifyDepth 3');
my @hosts = (
    (map { tls_host("$_.test", $server) } qw(one two)),
    tls_host('short.test', $server, "SSLSessionTicketKeyFile \"$short\""),
    tls_host('long.test', $server, "SSLSessionTicketKeyFile \"$long\""),
    tls_host('changing.test', $server, "SSLSessionTicketKeyFile \"$changing\""),
    tls_host('mtls.test', $server, @trust, 'SSLVerifyClient require', "SSLCARevocationFile \"$crl\"", 'SSLCARevocationCheck leaf',
        'Header always set X-Chain "%{SSL_CLIENT_CERT_CHAIN_0}s"', 'Header always set X-Verify "%{SSL_CLIENT_VERIFY}s %{SSL_CLIENT_S_DN_CN}s"'),
);
my $general = "Listen 127.0.0.1:\${port_https}\nLogFormat \"%P %{SSL_SESSION_RESUMED}x\" processes\nCustomLog \"\${root}/logs/processes\" processes\n";
sub config {
    my ($policy, @more) = @_;
    return join "\n", $general, @more, @hosts, tls_host('policy.test', $server, @trust, "SSLVerifyClient $policy");
}

$httpd = SL::Httpd->new(mpm => 'prefork', modules => ['headers'], config => config('none'), mpm_settings => "StartServers 4\nMinSpareServers 4\nMaxSpareServers 8\nMaxRequestWorkers 8\n");
page($httpd, map {"$_.test"} qw(one two short long changing mtls policy));
$httpd->start_ok or BAIL_OUT('httpd does not start');
$client = SL::Client->new(port => $httpd->port('https'));
my $keeper = $httpd->awaited_helper('keeper');
ok($keeper, 'there is a keeper') or BAIL_OUT('no keeper');
is($httpd->helper('courier'), undef, '... and no courier, which has nothing to do');
is_deeply([listening($keeper)], [], '... and it listens nowhere');
ok(scalar listening($httpd->pid), '... as httpd does');
is((stat "/proc/$keeper")[4], $>, '... and it has the rights of the start');

for my $version (qw(tls1_2 tls1_3)) {
    my $first = ask('one', $version, out => "one-$version");
    is($first->{resumed}, 0, "$version: a first visit is none more");
    is(ask('two', $version, in => "one-$version")->{resumed}, 0, '... and not to be resumed at another host');
    ok(ask($_, $version, out => "$_-$version")->{page}, "... $_.test has a page") for qw(short long changing policy);
    is(ask('short', $version, in => "short-$version")->{resumed}, 1, '... a key of 48 bytes works');
    is(ask('long', $version)->{name}, hex_of($keys[0]), '... one of 80 bytes as well: it names the ticket');
    is(ask('changing', $version)->{name}, hex_of($keys[1]), '... the first one of a file seals');
    for my $name (qw(ann revoked below)) {
        my $s = ask('mtls', $version, cert => $name, out => "$name-$version");
        my $again = ask('mtls', $version, in => "$name-$version");
        is($again->{resumed}, 1, "... $name comes again");
        my @facts = map { [$_->{out} =~ /^X-(?:Chain|Verify): (.*?)\r?$/mg] } $s, $again;
        is_deeply($facts[1], $facts[0], '... with the same variables');
        like("@{$facts[1]}", $name eq 'below' ? qr/BEGIN CERTIFICATE/ : qr/SUCCESS/, '... and all of them');
    }
}
ok(wait_until(sub { ask('one', 'tls1_2', in => 'one-tls1_2'); processes() > 1 }, 20 * slow()), 'a ticket is good in more than one process');

# ---- over restarts ----

$certs->openssl('ca', '-batch', '-config', $certs->dir . '/client-ca/openssl.cnf', '-revoke', $cert{revoked}{cert});
spew("$dir/crl.pem", slurp($certs->crl('client-ca')) . slurp($certs->crl('client-intermediate')));
keys_file('changing', @keys[2, 1]);
keys_file('long', $keys[2]);
$httpd->set_config(config('require'));
ok($httpd->restart, 'a graceful restart');
my $next = wait_until(sub { my $pid = $httpd->helper('keeper'); $pid && $pid != $keeper && $pid }, 10 * slow());
ok($next && $next != $keeper && wait_until(sub { !kill 0, $keeper }, 10 * slow()), '... with a new keeper in the place of the old one');
for my $version (qw(tls1_2 tls1_3)) {
    is(ask('one', $version, in => "one-$version")->{resumed}, 1, "$version: tickets are good over a graceful restart");
    my $s = ask('changing', $version, in => "changing-$version");
    is_deeply([$s->{resumed}, $s->{name}], [1, hex_of($keys[2])], '... an older key of a file opens, and the newer one seals anew');
    is(ask('long', $version, in => "long-$version")->{resumed}, 0, '... a key that is gone opens nothing');
    is(ask('mtls', $version, in => "ann-$version")->{resumed}, 1, '... a client certificate that is still good is resumed');
    $s = ask('mtls', $version, cert => 'revoked', in => "revoked-$version");
    is_deeply([$s->{page}, $s->{alert_number}], [undef, 44], '... one that was revoked meanwhile is refused');
    $s = ask('policy', $version, in => "policy-$version");
    is_deeply([$s->{page}, $s->{alert_number}], [undef, $version eq 'tls1_3' ? 116 : 40], '... and so is who got a ticket before a certificate was required');
}
ok($httpd->restart(graceful => 0), 'a restart');
is(ask('one', 'tls1_3', in => 'one-tls1_3')->{resumed}, 1, '... and they are good after it');
is(ask('short', $_, in => "short-$_")->{resumed}, 1, "$_: so are those of a key file") for qw(tls1_2 tls1_3);
$httpd->set_config(config('require') =~ s/^\s*SSLSessionTicketKeyFile .*\n//gmr);
ok($httpd->restart, 'a graceful restart without SSLSessionTicketKeyFile');
for my $version (qw(tls1_2 tls1_3)) {
    is(ask('short', $version, in => "short-$version")->{resumed}, 0, "$version: the keys of the files are gone");
    ask('short', $version, out => "ring-$version");
    is(ask('short', $version, in => "ring-$version")->{resumed}, 1, '... and the ring of all has taken their place');
}
$httpd->set_config(config('require'));
ok($httpd->restart, 'a graceful restart with it');
is(ask('short', 'tls1_3', in => 'short-tls1_3')->{resumed}, 1, '... and they are back');
is(ask('short', 'tls1_3', in => 'ring-tls1_3')->{resumed}, 0, '... alone');

# ---- the keeper dies ----

my $open = $client->tls('one.test');
$open->send("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n");
like($open->response->{body}, qr/this is one/, 'a connection is open');
$keeper = $httpd->awaited_helper('keeper');
$httpd->mark;
kill 'KILL', $keeper;
ok($httpd->wait_for_log(qr/SL0132: the process sl-keeper \($keeper\) ended/), 'a keeper that was killed is told about');
$next = wait_until(sub { my $pid = $httpd->helper('keeper'); $pid && $pid != $keeper && $pid }, 10 * slow());
ok($next, '... and another one takes its place');
is_deeply([listening($next // $$)], [], '... which listens nowhere either');
$open->send("GET / HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n");
like($open->response->{body}, qr/this is one/, '... the connection goes on');
is(ask('one', 'tls1_3', in => 'one-tls1_3')->{resumed}, 1, '... and tickets are good');
$keeper = $httpd->awaited_helper('keeper');
$httpd->stop;
ok(!kill(0, $keeper), 'a stop leaves no keeper');

# ---- keys turn ----

$httpd = SL::Httpd->new(config => $general . "SecureLayerTicketRotation 2\nLogLevel ssl:debug\n" . tls_host('one.test', $server));
page($httpd, 'one.test');
$httpd->start_ok('httpd with keys for two seconds') or BAIL_OUT('httpd does not start');
$client = SL::Client->new(port => $httpd->port('https'));
for my $version (qw(tls1_2 tls1_3)) {
    my $first = ask('one', $version, out => "turn-$version");
    my $name;
    ok(wait_until(sub { $name = ask('one', $version)->{name}; $name && $name ne $first->{name} }, 20 * slow()), "$version: another key seals");
    my $again = ask('one', $version, in => "turn-$version");
    is($again->{resumed}, 1, '... the one before still opens');
    isnt($again->{name}, $first->{name}, '... and the client has a new ticket');
}
like($httpd->error_log, qr/SL0131/, 'the log tells of it to who wants to know');

# ---- the parent dies ----

SKIP: {
    skip 'one process', 2 if $httpd->{single};
    $keeper = $httpd->awaited_helper('keeper');
    my @children = $httpd->children;
    ok($keeper, 'there is a keeper');
    kill 'KILL', $httpd->pid;
    ok(wait_until(sub { !kill 0, $keeper }, 20 * slow()), 'a keeper ends when the server is killed');
    kill 'KILL', $_ for @children;
    $httpd->end_process('TERM');
}

# ---- one process ----

$httpd = SL::Httpd->new(single => 1, config => $general . tls_host('one.test', $server));
page($httpd, 'one.test');
$httpd->start_ok('httpd as one process');
$client = SL::Client->new(port => $httpd->port('https'));
$keeper = wait_until(sub { $httpd->helper('keeper') }, 10 * slow());
ok($keeper, '... has a keeper');
ask('one', 'tls1_3', out => 'single');
is(ask('one', 'tls1_3', in => 'single')->{resumed}, 1, '... and tickets');
$httpd->stop;
ok(wait_until(sub { !kill 0, $keeper }, 10 * slow()), '... and leaves no keeper');

# ---- what is refused ----

for my $case (['of 79 bytes' => random(79)], ['with two keys of one name' => $keys[0] x 2], ['with 33 keys' => random(80 * 33)]) {
    my ($what, $bytes) = @$case;
    my $bad = SL::Httpd->new(config => $general . tls_host('one.test', $server, 'SSLSessionTicketKeyFile "' . keys_file('bad', $bytes) . '"'));
    my $r = $bad->configtest;
    like($r->{err} . $r->{out}, qr/AH02287: .*SSLSessionTicketKeyFile: \Q$dir\E\/bad: /, "a key file $what is refused, with its reason");
    isnt($r->{status}, 0, '... before the start');
}
keys_file('bad', $keys[0]);
chmod 0644, "$dir/bad";
my $r = SL::Httpd->new(config => $general . tls_host('one.test', $server, "SSLSessionTicketKeyFile \"$dir/bad\""))->configtest;
is($r->{status}, 0, 'a key file for all to read is taken');
like($r->{err} . $r->{out}, qr/anybody on this machine can read/, '... but warned about');

done_testing;
