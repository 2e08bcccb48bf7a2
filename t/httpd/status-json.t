# ?json, ?metrics and mod_status's block tell the same numbers, and the right ones: each handshake of a known sequence is
# counted by version, group, suite, kind and reason; so are backends, tickets, caches, parked connections, staples, refused
# changes and the deaths of the keeper. Lists are paged.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use JSON::PP ();
use SL::Certs;
use SL::Client;
use SL::Command qw(run slow slurp spew wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;
use SL::Responder;

plan skip_all => 'one process alone has no children to kill' if ($ENV{SL_SAN} || '') eq 'tsan';

my $certs     = SL::Certs->new;
my $responder = SL::Responder->new(certs => $certs, ca => 'ca');
my $aia       = 'authorityInfoAccess=OCSP;URI:' . $responder->url . "\n";
my $nowhere   = "authorityInfoAccess=OCSP;URI:http://127.0.0.1:9/ocsp\n";
my %cert      = (
    one     => $certs->server('one.test',     type => 'ecdsa', extensions => $aia),
    two     => $certs->server('two.test',     type => 'rsa'),
    live    => $certs->server('live.test',    type => 'ecdsa', tag => 'first'),
    soon    => $certs->server('soon.test',    type => 'p384', start => '-60d', end => '+5d'),
    past    => $certs->server('past.test',    type => 'ecdsa', start => '-90d', end => '-2d'),
    lost    => $certs->server('lost.test',    type => 'ecdsa', extensions => $nowhere),
    revoked => $certs->server('revoked.test', type => 'ecdsa', extensions => $aia, revoked => 1),
);
my $next  = $certs->server('live.test', type => 'ecdsa', tag => 'second');
my $httpd = SL::Httpd->new(modules => [qw(socache_shmcb status proxy proxy_http)]);
my $dir   = $httpd->root . '/work';
sub put_file { my ($path, $text) = @_; spew("$path.new", $text, 0600); rename "$path.new", $path or die "$path: $!" }
sub install  { my ($pair) = @_; put_file("$dir/live-\xe9.key", slurp($pair->{key})); put_file("$dir/live-\xe9.pem", slurp($pair->{full})); return }
install($cert{live});
$cert{live} = { full => "$dir/live-\xe9.pem", key => "$dir/live-\xe9.key" };
spew("$dir/ticket.key", 'x' x 80, 0600);

page($httpd, 'one.test', 'two.test');
$httpd->config(join '', "SSLCACertificateFile \"@{[$certs->ca('ca')]}\"\nSSLSessionCache shmcb:\${root}/run/sessions(512000)\n",
    "Listen 127.0.0.1:\${port_https}\nListen 127.0.0.1:\${port_http}\nSSLProxyEngine on\nSSLProxyCheckPeerName off\nSSLStaplingErrorCacheTimeout 1\n",
    "<VirtualHost *:\${port_http}>\nServerName status.test\n<Location /tls>\nSetHandler securelayer-status\n</Location>\n",
    "<Location /server-status>\nSetHandler server-status\n</Location>\n",
    "ProxyPass /back/ https://127.0.0.1:\${port_https}/ disablereuse=on\nProxyPass /broken/ https://127.0.0.1:\${port_http}/ disablereuse=on\n</VirtualHost>\n",
    tls_host('one.test', $cert{one}, 'ServerAlias alias.test', 'SSLUseStapling on'),
    tls_host('two.test', $cert{two}, 'SSLProtocol TLSv1.2', 'SSLSessionTickets off'),
    tls_host('live.test', $cert{live}, 'SSLSessionTicketKeyFile "${work}/ticket.key"'),
    (map { tls_host("$_.test", $cert{$_}, 'SSLUseStapling on') } qw(lost revoked)), map { tls_host("$_.test", $cert{$_}) } qw(soon past));
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));
my $plain  = 'http://127.0.0.1:' . $httpd->port('http');

# Asked without TLS, so that asking changes nothing.
sub get { my ($path) = @_; return $client->curl("$plain$path") }
sub json {
    my ($query) = @_;
    my $r = get('/tls?json' . ($query // ''));
    return eval { JSON::PP->new->utf8->decode($r->{body}) } || BAIL_OUT("no JSON: $r->{code} $r->{body}");
}
sub metrics { my $text = get('/tls?metrics')->{body}; my %m; $m{$1} = $2 while $text =~ /^(\w+(?:\{[^}]*\})?) (\S+)$/mg; return \%m }
sub auto    { my $text = get('/server-status?auto')->{body}; my %a; $a{$1} = $2 while $text =~ /^(TLS\w+): (.*)$/mg; return \%a }

# What has grown, as "by_version TLSv1.3" => 3. Everything that is a number counts.
sub flat {
    my ($value, @way) = @_;
    return map { flat($value->{$_}, @way, $_) } sort keys %$value if ref $value eq 'HASH';
    return (!ref $value && defined $value && $value =~ /^\d+$/) ? ("@way" => $value) : ();
}
my %last;
sub grown {
    my $now = json();
    my %now = map { flat($now->{$_}, $_) } qw(handshakes backend_handshakes tickets session_cache identity_cache);
    my %grown = map { $_ => $now{$_} - ($last{$_} || 0) } grep { $now{$_} != ($last{$_} || 0) } keys %now;
    %last = %now;
    delete $grown{'handshakes seconds count'} if ($grown{'handshakes seconds count'} || 0) == ($grown{'handshakes total'} || 0);
    return \%grown;
}
sub grew {
    my ($name, %want) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply(grown(), \%want, $name);
}
my $answer = get('/tls?json');
is($answer->{code}, 200, '?json answers');
like($answer->{headers}{'content-type'}, qr{^application/json}, '... and says what it is');
is($answer->{headers}{'cache-control'}, 'no-store', '... is not kept');
is(json()->{format}, 1, '... in format 1');
like(json()->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, '... times are RFC 3339');
is(json()->{server}, 'status.test', '... whose server it is');
is_deeply(grown(), {}, 'nothing is counted before the first handshake');

# Handshakes of clients
my @one = ('--curves', 'X25519', '--tls13-ciphers', 'TLS_AES_128_GCM_SHA256');
$client->curl('https://one.test/', args => \@one) for 1 .. 3;
grew('three with TLS 1.3',
    'handshakes total' => 3, 'handshakes by_version TLSv1.3' => 3, 'handshakes by_kind full' => 3, 'handshakes by_group x25519' => 3,
    'handshakes by_suite TLS_AES_128_GCM_SHA256' => 3, 'tickets made' => 6, 'identity_cache made' => 1, 'identity_cache found' => 2);
$client->curl('https://two.test/', args => ['--curves', 'P-256', '--ciphers', 'ECDHE-RSA-AES256-GCM-SHA384']);
grew('one with TLS 1.2, whose session goes to the cache',
    'handshakes total' => 1, 'handshakes by_version TLSv1.2' => 1, 'handshakes by_kind full' => 1, 'handshakes by_group secp256r1' => 1,
    'handshakes by_suite ECDHE-RSA-AES256-GCM-SHA384' => 1, 'session_cache miss' => 1, 'session_cache stored' => 1,
    'identity_cache made' => 1);
my @two = ('-tls1_2', '-groups', 'P-384', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256');
$client->s_client('two.test', args => [@two, '-sess_out', "$dir/session"]);
grown();
is($client->s_client('two.test', args => [@two, '-sess_in', "$dir/session"])->{resumed}, 1, 'a session is resumed');
my $resumed = grown();
is($resumed->{'handshakes by_kind resumed'}, 1, '... as one that was resumed');
is($resumed->{'session_cache hit'}, 1, '... and found in the cache');
is($resumed->{'handshakes by_suite ECDHE-RSA-AES128-GCM-SHA256'}, 1, '... with its suite');
my @ticket = ('-tls1_2', '-groups', 'P-384:P-256', '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256');
$client->s_client('one.test', args => [@ticket, '-sess_out', "$dir/ticket"]);
grown();
is($client->s_client('one.test', args => [@ticket, '-sess_in', "$dir/ticket"])->{resumed}, 1, 'a ticket is resumed');
is(grown()->{'tickets opened'}, 1, '... and counted as opened');
$client->curl('https://two.test/', args => ['--tlsv1.3']);
grew('a client without a common version', 'handshakes failed' => 1, 'handshakes failed_by_reason version' => 1);
$client->s_client('two.test', args => ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256']);
my $failed = grown();
is($failed->{'handshakes failed_by_reason cipher-suite'}, 1, 'one without a common suite');

# Backends
is(get('/back/')->{code}, 200, 'a backend answers');
my $back = grown();
is($back->{'backend_handshakes by_kind full'}, 1, '... after one handshake');
is($back->{'handshakes total'}, 1, '... which the backend, ourselves, counts too');
get('/back/');
is(grown()->{'backend_handshakes by_kind resumed'}, 1, '... the second time it is resumed');
is(get('/broken/')->{code}, 502, 'one that speaks no TLS fails');
$back = grown();
is($back->{'backend_handshakes failed'}, 1, '... once');
is(scalar(grep {/^backend_handshakes failed_by_reason /} keys %$back), 1, '... with a reason');

# Times
my $seconds = json()->{handshakes}{seconds};
is($seconds->{count}, json()->{handshakes}{total}, 'each handshake has its time');
cmp_ok($seconds->{sum}, '>', 0, '... that took some');
is(scalar(@{ $seconds->{buckets} }), 12, '... in buckets');
is($seconds->{buckets}[0]{up_to}, 0.001, '... of seconds');

# Parked connections
is_deeply(json()->{parked}, { hello => 0, handshake => 0, request => 0 }, 'nobody waits');
my @silent = map { $client->raw } 1 .. 3;
ok(wait_until(sub { json()->{parked}{hello} == 3 }, 20 * slow()), 'three that say nothing are parked') or diag explain json()->{parked};
my $idle = $client->tls('one.test');
ok(wait_until(sub { json()->{parked}{request} == 1 }, 20 * slow()), 'one that asks for nothing too') or diag explain json()->{parked};
is(metrics()->{'securelayer_parked_connections{waiting_for="hello"}'}, 3, '... metrics say so');
is(auto()->{TLSParkedConnections}, 4, '... and mod_status');
my @children = @{ json()->{children} };
is(scalar @children, 1, 'one child serves');
ok((grep { $_ == $children[0]{pid} } $httpd->children), '... it is that of httpd');
is($children[0]{handshakes}, json()->{handshakes}{total}, '... and made all handshakes');
is($children[0]{parked}{hello}, 3, '... and has those that are parked');
kill 'KILL', $children[0]{pid};
ok(wait_until(sub { my $now = eval { json() }; $now && $now->{children}[0]{pid} != $children[0]{pid} }, 20 * slow()), 'killed, it is another one')
    or diag explain json()->{children};
is_deeply(json()->{parked}, { hello => 0, handshake => 0, request => 0 }, '... whose parked connections went with it');
is(json()->{children}[0]{handshakes}, 0, '... and which begins at nothing');
is(grown()->{'handshakes by_version TLSv1.3'}, 1, '... while sums go on');
undef @silent;

# Certificates
my $certificates = json()->{certificates};
is($certificates->{total}, 7, 'all certificates');
is_deeply($certificates->{states}, { valid => 5, expiring => 1, expired => 1, 'not-yet-valid' => 0 }, '... by state');
is_deeply($certificates->{expiring_within_days}, { 0 => 1, 1 => 1, 3 => 1, 7 => 2, 14 => 2, 30 => 2, 90 => 7 }, '... and by the days left');
my @list = @{ $certificates->{list} };
is_deeply([map { $_->{names}[0] } @list[0, 1]], ['past.test', 'soon.test'], '... the first to expire first');
is($certificates->{first_expiry}, $list[0]{not_after}, '... when that is');
my ($one) = grep { $_->{names}[0] eq 'one.test' } @list;
is_deeply($one->{names}, ['one.test', 'alias.test'], 'a certificate has the names of its hosts');
is($one->{key_type}, 'ECDSA', '... its key type');
is($one->{issuer}, 'CN=SL Test CA,O=SL Test,C=DE', '... its issuer');
my ($serial) = $certs->openssl('x509', '-in', $cert{one}{cert}, '-noout', '-serial') =~ /=(\w+)/;
is($one->{serial}, $serial, '... its serial number');
is($one->{state}, 'valid', '... its state');
cmp_ok(abs($one->{seconds_left} - 90 * 86400), '<', 86400, '... and the seconds left');
my ($live) = grep { $_->{names}[0] eq 'live.test' } @list;
like($live->{file}, qr{/live-\\xe9\.pem$}, 'a path that is not UTF-8 is escaped');
my $page = json('&rows=3&page=2')->{certificates};
is_deeply([@$page{qw(total matching page pages rows)}], [7, 7, 2, 3, 3], 'a page of three');
is_deeply([map { $_->{names}[0] } @{ $page->{list} }], [map { $_->{names}[0] } @list[3 .. 5]], '... has the next three');
is(scalar @{ json('&rows=3&page=3')->{certificates}{list} }, 1, '... and the last one the rest');
is_deeply(json("&page=$_")->{certificates}{list}, [], "page $_ is empty") for 2, 16777216, '99999999999999999999';
is(json("&rows=$_")->{certificates}{rows}, $_ > 1 ? 500 : 50, "rows=$_ is bounded") for 0, -3, 100000;
$page = json('&filter=REVOKED')->{certificates};
is_deeply([$page->{matching}, $page->{total}, $page->{filter}], [1, 7, 'REVOKED'], 'a filter');
is(json('&filter=%ff%22')->{certificates}{filter}, '\xff\"', '... may be anything');

# Staples
sub staple { my ($name) = @_; return (grep { $_->{names}[0] eq "$name.test" } @{ json()->{certificates}{list} })[0]{staple} }
ok(wait_until(sub { staple('one')->{state} eq 'good' && staple('revoked')->{state} eq 'revoked' && staple('lost')->{state} eq 'missing' }, 30 * slow()),
    'staples are good, revoked, or missing') or diag explain json()->{certificates};
my $staple = staple('one');
like($staple->{this_update}, qr/^\d{4}-.*Z$/, '... since when');
cmp_ok($staple->{age_seconds}, '<', 600, '... how old that is');
is($staple->{failures}, 0, '... without a failure');
$staple = staple('lost');
cmp_ok($staple->{failures}, '>', 0, 'a responder that is not there has failed');
like($staple->{reason}, qr{^http://127\.0\.0\.1:9/ocsp}, '... with a reason');
is(staple('soon')->{state}, 'off', 'a host without stapling');
my %staples = %{ json()->{certificates}{staples} };
is_deeply(\%staples, { off => 4, module => 0, waiting => 0, good => 1, revoked => 1, missing => 1 }, 'all of them');
my $metrics = metrics();
is_deeply({ map { $_ => $metrics->{"securelayer_staples{state=\"$_\"}"} } keys %staples }, \%staples, '... metrics say so');
is($metrics->{securelayer_staples_failing}, 1, '... and that one fails');

# Refused changes
is_deeply([@{ json()->{reload} }{qw(on refused_total last_refused last_taken)}], [JSON::PP::true(), 0, undef, undef], 'no change so far');
is((grep { $_->{name} eq "the ticket key file $dir/ticket.key" } @{ json()->{reload}{other_files} }), 1, 'other files are there as well');
put_file("$dir/live-\xe9.pem", 'none');
put_file("$dir/ticket.key", 'too short');
ok(wait_until(sub { json()->{reload}{refused_total} == 2 }, 30 * slow()), 'two changes are refused') or diag explain json()->{reload};
my ($broken) = grep { $_->{names}[0] eq 'live.test' } @{ json()->{certificates}{list} };
like($broken->{reload}{reason}, qr/is text without a PEM block/, '... the certificate says why');
like($broken->{reload}{refused}, qr/^\d{4}-.*Z$/, '... and when');
is(json()->{certificates}{refused}, 1, '... one is a certificate');
is_deeply([sort map { $_->{name} =~ s/ \/.*//r } @{ json()->{reload}{refused} }], ['the certificate', 'the ticket key file'], '... both are listed');
is(metrics()->{securelayer_files_refused}, 2, '... metrics say so');
is(metrics()->{securelayer_certificates_refused}, 1, '... and that one is a certificate');
is(auto()->{TLSFilesRefused}, 2, '... and mod_status');
my $html = get('/tls')->{body};
like($html, qr/refused<\/span>.*is text without a PEM block/s, '... and the page, with the reason');
install($next);
put_file("$dir/ticket.key", 'y' x 80);
ok(wait_until(sub { my $r = json()->{reload}; $r->{refused_total} == 0 && $r->{last_taken} }, 30 * slow()), 'repaired, they are taken') or diag explain json()->{reload};
is_deeply([map { $_->{reload}{version} } grep { $_->{names}[0] eq 'live.test' } @{ json()->{certificates}{list} }], [1], '... the certificate once');
is(metrics()->{securelayer_files_refused}, 0, '... metrics say so');

# Ticket keys
my $keys = json()->{ticket_keys};
is($keys->{count}, 1, 'one ticket key');
cmp_ok($keys->{age_seconds}, '<', 600, '... that is young');
cmp_ok($keys->{next}, 'gt', $keys->{made}, '... and will be followed');

# Keeper and courier
my $helpers = json()->{helpers};
is_deeply([map { @{ $helpers->{$_} }{qw(state deaths)} } qw(keeper courier)], ['running', 0, 'running', 0], 'keeper and courier run');
is($helpers->{$_}{pid}, $httpd->helper($_), "... the $_ with its number") for qw(keeper courier);
kill 'KILL', $helpers->{keeper}{pid};
ok(wait_until(sub { my $k = json()->{helpers}{keeper}; $k->{deaths} == 1 && $k->{state} eq 'running' && $k->{pid} != $helpers->{keeper}{pid} }, 30 * slow()),
    'a keeper that is killed has died once, and runs again') or diag explain json()->{helpers};
is(json()->{helpers}{keeper}{pid}, $httpd->helper('keeper'), '... children that were there before know the new one');
is(metrics()->{'securelayer_helper_deaths_total{helper="keeper"}'}, 1, '... metrics say so');
is(metrics()->{'securelayer_helper_up{helper="keeper"}'}, 1, '... and that it is up');
is(auto()->{TLSKeeperDeaths}, 1, '... and mod_status');
like(get('/tls')->{body}, qr/Keeper<\/h2><strong>! running<\/strong><p>[^<]*died 1 time/, '... and the page');

# All say the same
sub same {
    my $j = json();
    my $m = metrics();
    my $a = auto();
    my %wrong;
    my %place = (by_version => ['handshakes', 'version'], by_kind => ['handshake_kinds', 'kind'], by_group => ['handshake_groups', 'group'],
        by_suite => ['handshake_suites', 'suite'], failed_by_reason => ['handshake_failures', 'reason']);
    for my $key (keys %place) {
        my ($name, $label) = @{ $place{$key} };
        for my $word (keys %{ $j->{handshakes}{$key} }) {
            my $there = $m->{"securelayer_${name}_total{$label=\"$word\"}"} // 'none';
            $wrong{"$key $word"} = $there if $there ne $j->{handshakes}{$key}{$word};
        }
    }
    for my $name (qw(tickets session_cache identity_cache)) {
        for my $word (keys %{ $j->{$name} }) {
            my $there = $m->{"securelayer_${name}_total{result=\"$word\"}"} // 'none';
            $wrong{"$name $word"} = $there if $there ne $j->{$name}{$word};
        }
    }
    is_deeply(\%wrong, {}, 'metrics have what JSON has');
    is_deeply([@$a{qw(TLSHandshakes TLSHandshakesResumed TLSHandshakesFailed TLSBackendHandshakes TLSBackendHandshakesFailed)}],
        [$j->{handshakes}{total}, $j->{handshakes}{by_kind}{resumed}, $j->{handshakes}{failed}, $j->{backend_handshakes}{total}, $j->{backend_handshakes}{failed}],
        '... and mod_status for programs');
    is_deeply([@$a{qw(TLSCertificates TLSCertificatesExpired TLSFirstExpiry TLSKeeper TLSCourier)}],
        [7, 1, $j->{certificates}{first_expiry}, 'running', 'running'], '... of certificates and helpers too');
    return;
}
same();
like(get('/server-status')->{body}, qr{<h2>TLS</h2>.*<dt>Handshakes: @{[json()->{handshakes}{total}]}</dt>.*<dt>Keeper: running</dt>}s, '... and for people');
my $total = json()->{handshakes}{total};
ok($httpd->restart, 'a graceful restart');
is(json()->{handshakes}{total}, $total, '... forgets no handshake');
is(json()->{helpers}{keeper}{deaths}, 1, '... nor the death of the keeper');
ok(wait_until(sub { json()->{helpers}{keeper}{state} eq 'running' && json()->{helpers}{courier}{state} eq 'running' }, 20 * slow()), '... whose successors run');
is(json()->{helpers}{keeper}{pid}, $httpd->helper('keeper'), '... and are known');
same();

# One that hangs
my $courier = $httpd->awaited_helper('courier');
kill 'STOP', $courier;
ok(wait_until(sub { json()->{helpers}{courier}{state} eq 'silent' }, 60 * slow()), 'a courier that hangs is silent') or diag explain json()->{helpers};
is(metrics()->{'securelayer_helper_up{helper="courier"}'}, 0, '... metrics call it down');
like(get('/tls')->{body}, qr/Courier<\/h2><strong>&#x2717; silent<\/strong>/, '... and the page tells');
kill 'CONT', $courier;
ok(wait_until(sub { json()->{helpers}{courier}{state} eq 'running' }, 20 * slow()), '... until it goes on');

# A parser of OpenMetrics takes all of it
spew("$dir/metrics", get('/tls?metrics')->{body});
my $parsed = run(['/usr/bin/python3', '-c', <<'PY', "$dir/metrics"]);
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
print(sum(1 for family in parse(open(sys.argv[1]).read())))
PY
is($parsed->{status}, 0, 'a parser takes the metrics') or diag $parsed->{err};

$httpd->stop;
done_testing;
