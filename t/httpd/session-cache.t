# SSLSessionCache: sessions by their id (TLS 1.2) and by stateful tickets (TLS 1.3) in shmcb, dbm, memcached and redis, for
# all processes; sealed there; gone after their time; never across a border of host or client-certificate policy; a
# resumed connection tells the same facts; a store that is down costs nothing but the resumption.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::IP;
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Command qw(free_port run scratch_dir slow slurp spew start stop_process wait_until);
use SL::Httpd;
use SL::Parity;

my $certs = SL::Certs->new;
my %pair = map { $_ => $certs->server("$_.test", type => 'ecdsa') } qw(one two asks);
my $ann = $certs->client('ann', issuer => 'client-intermediate');
my $dir = scratch_dir('sl-sessions');
my @daemons;
END { local $?; stop_process($_) for @daemons }

sub daemon_at {
    my ($port, @command) = @_;
    my $pid = start(\@command, stdout => "$dir/daemon.log", stderr => "$dir/daemon.log");
    push @daemons, $pid;
    wait_until(sub { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port) }, 10 * slow())
        or BAIL_OUT("$command[0] does not listen on port $port");
    return $pid;
}
my %port = map { $_ => free_port() } qw(redis memcached);
my $redis = daemon_at($port{redis}, 'redis-server', '--port', $port{redis}, '--bind', '127.0.0.1', '--save', '', '--dir', $dir);
daemon_at($port{memcached}, 'memcached', '-u', 'nobody', '-l', '127.0.0.1', '-p', $port{memcached});

my $ca = $certs->ca('client-ca');
my $facts = join '|', map {"%{$_}x"} qw(SSL_CLIENT_VERIFY SSL_CLIENT_S_DN SSL_CLIENT_M_SERIAL SSL_CLIENT_CERT_SHA256 SSL_CLIENT_CERT_CHAIN_0 SSL_PROTOCOL SSL_CIPHER SSL_TLS_SNI);

sub vhost {
    my ($name, $more) = @_;
    my $pair = $pair{ $name =~ s/\..*//r };
    return "<VirtualHost *:\${port_https}>\n ServerName $name\n SSLEngine on\n SSLCertificateFile \"$pair->{cert}\"\n"
        . " SSLCertificateKeyFile \"$pair->{key}\"\n" . ($more // '') . "\n</VirtualHost>\n";
}

sub config {
    my ($cache) = @_;
    return "Listen 127.0.0.1:\${port_https}\nSSLSessionCache $cache\nSSLSessionTickets off\nSSLProtocol all\n"
        . "LogFormat \"%{SSL_SESSION_RESUMED}x $facts\" facts\nCustomLog \"\${root}/logs/facts\" facts\n"
        . "<Location /server-status>\nSetHandler server-status\n</Location>\n"
        . vhost('one.test') . vhost('two.test')
        . vhost('asks.test', "SSLVerifyClient optional\nSSLCACertificateFile \"$ca\"\nSSLVerifyDepth 2");
}

my $sessions = 0;

# A full handshake, whose session goes to a file.
sub full {
    my ($client, $host, $file, $version, %o) = @_;
    return $client->s_client($host, %o, args => ['-' . ($version || 'tls1_2'), '-sess_out', $file, @{ $o{args} || [] }], input => "GET / HTTP/1.0\r\nHost: $host\r\n\r\n");
}

sub first {
    my ($client, $host, $version, %o) = @_;
    my $file = "$dir/session" . ++$sessions;
    my $r = full($client, $host, $file, $version, %o);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($r->{connected} && !$r->{resumed} && -s $file, "$host, $version: a full handshake") or diag $r->{text};
    return $file;
}

# Does the client come back with that session?
sub resumes {
    my ($client, $host, $version, $file, %o) = @_;
    my $r = $client->s_client($host, %o, args => ["-$version", '-sess_in', $file, @{ $o{args} || [] }], input => "GET / HTTP/1.0\r\nHost: $host\r\n\r\n");
    return !$r->{connected} ? 'no connection' : $r->{text} !~ /^HTTP\/1.1 200/m ? 'no answer' : $r->{resumed} ? 'resumed' : 'full';
}

# Several processes, each for a few connections.
my $many = $ENV{SL_SAN} && $ENV{SL_SAN} eq 'tsan' ? undef : "StartServers 3\nServerLimit 4\nThreadsPerChild 2\nMaxRequestWorkers 8\nMinSpareThreads 6\nMaxSpareThreads 8\n";

# What the log says of the last requests.
sub facts_told {
    my ($httpd, $count) = @_;
    my @lines;
    wait_until(sub { @lines = split /\n/, slurp($httpd->root . '/logs/facts'); @lines >= $count }, 5 * slow());
    return @lines[-2, -1];
}

my %cache = (
    shmcb    => 'shmcb:${root}/run/scache(512000)',
    dbm      => 'dbm:${root}/run/scache',
    memcache => "memcache:127.0.0.1:$port{memcached}",
    redis    => "redis:127.0.0.1:$port{redis}",
);

for my $provider (qw(shmcb dbm memcache redis)) {
    my $httpd = SL::Httpd->new(modules => ["socache_$provider", 'status'], mpm_settings => $many, name => "httpd with $provider");
    $httpd->config(config($cache{$provider}));
    $httpd->start_ok or next;
    my $client = SL::Client->new(port => $httpd->port('https'));
    for my $version (qw(tls1_2 tls1_3)) {
        my $file = first($client, 'one.test', $version);
        is(join(' ', map { resumes($client, 'one.test', $version, $file) } 1 .. 6), join(' ', ('resumed') x 6), "$provider, $version: resumed, whichever process answers");
        is(resumes($client, 'two.test', $version, $file), 'full', "$provider, $version: not on another host");
    }
    if ($provider eq 'shmcb') {
        for my $version (qw(tls1_2 tls1_3)) {
            my $before = () = slurp($httpd->root . '/logs/facts') =~ /\n/g;
            my $file = first($client, 'asks.test', $version, cert => $ann, args => ['-cert_chain', $ann->{chain}]);
            is(resumes($client, 'asks.test', $version, $file), 'resumed', "$version: who showed a certificate comes back without");
            my ($first, $second) = facts_told($httpd, $before + 2);
            like($first, qr/^Initial SUCCESS\|.*CN=ann.*BEGIN CERTIFICATE/, '... was known the first time, chain and all');
            is($second, $first =~ s/^Initial/Resumed/r, '... and is the same the second time');
        }
    }
    my $page = $client->curl('https://one.test/server-status')->{body};
    like($page, qr{SSL/TLS Session Cache Status}, "$provider: the status page has its block");
    like($page, qr/current entries|cache type/i, '... with the lines of the provider') if $provider eq 'shmcb';
    my $auto = $client->curl('https://one.test/server-status?auto')->{body};
    like($auto, qr/^TLSSessionCacheStatus\n/m, '... and its line for programs');
    like($auto, qr/^TLSSessionCacheStatus\nCacheType: SHMCB\n/m, '... with the lines of the provider') if $provider eq 'shmcb';
    if ($provider eq 'redis') {
        my @keys = grep {/^mod_ssl-sess/} split /\s+/, run(['redis-cli', '-p', $port{redis}, 'keys', '*'])->{out};
        ok(scalar @keys, 'redis: entries have the names that they have with mod_ssl') or diag run(['redis-cli', '-p', $port{redis}, 'keys', '*'])->{out};
        unlike(join('', map { run(['redis-cli', '-p', $port{redis}, 'get', $_])->{out} } @keys), qr/one\.test/, '... and nobody can read them');
    }
    is(scalar(() = $httpd->error_log =~ /SL011[123]/g), 0, "$provider: nothing to tell in the log");
    if ($provider eq 'redis') {
        my $file = first($client, 'one.test', 'tls1_2');
        $httpd->mark;
        stop_process($redis);
        @daemons = grep { $_ != $redis } @daemons;
        is(join(' ', map { resumes($client, 'one.test', 'tls1_2', $file) } 1 .. 12), join(' ', ('full') x 12), 'redis is down: full handshakes go on');
        my $told = () = $httpd->new_log =~ /SL0112: the session cache redis:\S+ failed to [a-z ]+ a session: full handshakes go on/g;
        ok($told >= 1 && $told < 12, "... and the log tells it, but not each time ($told)") or diag $httpd->new_log;
        $redis = daemon_at($port{redis}, 'redis-server', '--port', $port{redis}, '--bind', '127.0.0.1', '--save', '', '--dir', $dir);
        ok(wait_until(sub { full($client, 'one.test', $file); resumes($client, 'one.test', 'tls1_2', $file) eq 'resumed' }, 60 * slow()),
            'redis is back: sessions are resumed again');
    }
    $httpd->stop;
}

# ---- two servers, one redis ----

{
    my @keys = map { my $file = "$dir/keys$_"; spew($file, pack('a16', "key $_") . join('', map { chr int rand 256 } 1 .. 64), 0600); $file } 1, 2;
    my @fleet = map {
        my $httpd = SL::Httpd->new(modules => ['socache_redis', 'status'], name => "server $_");
        $httpd->config("SSLSessionTicketKeyFile \"$keys[$_ == 2]\"\n" . config($cache{redis}) =~ s/ServerName (\S+)/ServerName $1:443/gr);
        $httpd->start_ok;
        $httpd;
    } 0 .. 2;
    my @client = map { SL::Client->new(port => $_->port('https')) } @fleet;
    for my $version (qw(tls1_2 tls1_3)) {
        my $file = first($client[0], 'one.test', $version);
        is(resumes($client[1], 'one.test', $version, $file), 'resumed', "$version: resumed by another server that has the same keys");
        is(resumes($client[2], 'one.test', $version, $file), 'full', '... and not by one that has others');
        is(resumes($client[0], 'one.test', $version, $file), 'resumed', '... which spoils nothing');
    }
    $_->stop for @fleet;
}

# ---- nothing is kept that tickets make useless; time ----

my $httpd = SL::Httpd->new(modules => ['socache_shmcb', 'status'], name => 'httpd with tickets');
$httpd->config(config($cache{shmcb}) =~ s/SSLSessionTickets off/SSLSessionTickets on/r);
$httpd->start_ok;
my $client = SL::Client->new(port => $httpd->port('https'));
sub stored { return $client->curl('https://one.test/server-status?auto')->{body} =~ /^CacheStoreCount: (\d+)/m ? $1 : undef }
for my $version (qw(tls1_2 tls1_3)) {
    my $file = first($client, 'one.test', $version);
    is(resumes($client, 'one.test', $version, $file), 'resumed', "$version: resumed with a ticket");
}
is(stored(), 0, '... and nothing was kept for it');
my $old = run(['openssl', 's_client', '-connect', '127.0.0.1:' . $httpd->port('https'), '-servername', 'one.test', '-tls1_2', '-no_ticket', '-sess_out', "$dir/old"], stdin => '');
is(stored(), 1, 'a client without tickets has its session kept');
is(resumes($client, 'one.test', 'tls1_2', "$dir/old", args => ['-no_ticket']), 'resumed', '... and comes back with it') or diag $old->{out};

# A restart without the directive: it is gone.
SKIP: {
    skip 'one process cannot be restarted gracefully', 6 if ($ENV{SL_SAN} || '') eq 'tsan';
    $httpd->set_config(config('none'));
    ok($httpd->restart, 'a graceful restart with SSLSessionCache none');
    is($client->curl('https://one.test/server-status?auto')->{body} =~ /TLSSessionCacheStatus/ ? 'there' : 'gone', 'gone', '... and the cache is gone');
    unlike($client->s_client('one.test', args => ['-tls1_2'])->{text}, qr/Session-ID: [0-9A-F]/, '... no session ids');
    $httpd->set_config(config('nonenotnull'));
    ok($httpd->restart, 'a graceful restart with nonenotnull');
    like($client->s_client('one.test', args => ['-tls1_2'])->{text}, qr/Session-ID: [0-9A-F]{64}/, '... session ids');
    $httpd->set_config("SSLSessionCacheTimeout 1\n" . config($cache{shmcb}));
    ok($httpd->restart, 'a graceful restart with a time-out of a second');
    for my $version (qw(tls1_2 tls1_3)) {
        my $file = first($client, 'one.test', $version);
        ok(wait_until(sub { resumes($client, 'one.test', $version, $file) eq 'full' }, 10 * slow()), "$version: after its time a session is gone");
    }
}
$httpd->stop;

# ---- what is told at start ----

{
    my $told = SL::Httpd->new(modules => ['socache_shmcb', 'socache_dbm'], name => 'httpd that tells');
    my $hosts = "Listen 127.0.0.1:\${port_https}\n" . vhost('one.test', "SSLSessionTickets off\n") . vhost('two.test', "SSLSessionTickets off\n");
    $told->config($hosts);
    is(scalar(() = $told->configtest->{err} =~ /AH01873: \S+httpd\.conf:\d+: SSLSessionTickets: \w+\.test:\d+: without tickets and without a session cache/g),
        1, 'hosts that resume nothing are told of, once');
    for my $meant ('SSLSessionCache none', 'SSLSessionCache shmcb') {
        $told->set_config("$meant\n$hosts");
        unlike($told->configtest->{err}, qr/AH01873/, "... not with $meant");
    }
    $told->set_config($hosts =~ s/SSLSessionTickets off//gr);
    unlike($told->configtest->{err}, qr/AH01873/, '... nor with tickets');
    $told->set_config("SSLSessionCache dbm:/nowhere/scache\n$hosts");
    is($told->configtest->{status}, 0, 'a cache in a directory that is not there: httpd -t cannot know');
    ok(!$told->start, '... but the start fails');
    like($told->said, qr/SL0002: \S+httpd\.conf:\d+: SSLSessionCache: dbm:\S+: the cache can't be set up: /, '... and says why')
        or diag $told->said;
}

# ---- and mod_ssl ----

sub comes_back {
    my ($version, %o) = @_;
    return sub {
        my ($c) = @_;
        my $file = "$dir/parity" . ++$sessions;
        full($c, 'one.test', $file, $version, args => $o{args});
        return { map { ($_ => resumes($c, $_, $version, $file, args => $o{args})) } qw(one.test two.test) };
    };
}
sub entries {
    my ($c) = @_;
    my $page = $c->curl('https://one.test/server-status?auto', args => ['--tls-max', '1.2', '--tlsv1.2'])->{body};
    return { stored => $page =~ /^CacheStoreCount: (\d+)/m ? "$1" : 'none', lines => join ' ', $page =~ /^(TLSSessionCacheStatus|Cache\w+)/mg };
}
for my $tickets (qw(off on)) {
    last if $ENV{SL_SAN};
    parity(
        name     => "session cache, tickets $tickets",
        modules  => ['socache_shmcb', 'status'],
        config   => config($cache{shmcb}) =~ s/SSLSessionTickets off/SSLSessionTickets $tickets/r,
        requests => [
            { name => 'TLS 1.2', run => comes_back('tls1_2') },
            { name => 'TLS 1.2 without tickets', run => comes_back('tls1_2', args => ['-no_ticket']) },
            { name => 'TLS 1.3', run => comes_back('tls1_3') },
            { name => 'status', run => \&entries },
        ],
        differs => { status => { row => 'session cache', stored => $tickets eq 'on' ? 3 : 8 } },
    );
}
done_testing;
