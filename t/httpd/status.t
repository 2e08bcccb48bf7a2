# SetHandler securelayer-status: certificates by expiry, found and paged by the server, everything escaped; counters that
# count each handshake once and outlive a graceful restart; metrics that a parser of OpenMetrics takes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use JSON::PP ();
use SL::Certs;
use SL::Client;
use SL::Command qw(run slurp spew wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;

my $certs = SL::Certs->new;
my $httpd = SL::Httpd->new;
my $work  = $httpd->root . '/work';
my %cert  = map { $_ => $certs->server("$_.test", type => 'ecdsa') } qw(one two);
my $odd   = { full => "$work/<b>odd&.pem", key => $cert{two}{key} };
spew($odd->{full}, slurp($cert{two}{full}));
page($httpd, 'one.test', 'two.test');
$httpd->config(join '', "Listen 127.0.0.1:\${port_https}\n",
    tls_host('one.test', $cert{one}, '<Location "/tls">', 'SetHandler securelayer-status', '</Location>'),
    tls_host('two.test', $odd, 'SSLProtocol TLSv1.2'));
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

sub get { my ($query) = @_; return $client->curl('https://one.test/tls' . ($query // '')) }

# The handshake of the question counts as well.
sub metric { my ($name) = @_; return get('?metrics')->{body} =~ /^\Q$name\E (\S+)$/m ? $1 : 'none' }

my $page = get();
is($page->{code}, 200, 'the page is there');
is($page->{headers}{'cache-control'}, 'no-store', '... is not kept');
like($page->{headers}{'content-security-policy'}, qr/default-src 'none'; style-src 'nonce-[0-9a-f]{32}'/, '... and may run no script');
like($page->{body}, qr/>2 found/, '... shows both certificates');
like($page->{body}, qr/&lt;b&gt;odd&amp;\.pem/, '... with names escaped');
unlike($page->{body}, qr/<b>/, '... everywhere');
like($page->{body}, qr/<td[^>]*>one\.test<\/td><td[^>]*>[^<]*SL Test[^<]*<\/td><td[^>]*>ECDSA<\/td>/, '... with issuer and key type');
like(get('?filter=ONE.te')->{body}, qr/>1 found/, 'a filter finds one by its name');
like(get('?filter=%3Cb%3E')->{body}, qr/value="&lt;b&gt;".*>1 found/s, '... by its file, and is escaped');
like(get('?filter=%22%3E%3Cscript%3E&page=99999999999999999999')->{body}, qr/value="&quot;&gt;&lt;script&gt;".*>0 found/s,
    '... and none if there is none');
is(get('?page=-7')->{code}, 200, 'a page that is none is the first');
is($client->curl('https://one.test/tls', args => ['-d', 'x'])->{code}, 405, 'nothing can be sent there');

my $v12 = 'securelayer_handshakes_total{version="TLSv1.2"}';
my $v13 = 'securelayer_handshakes_total{version="TLSv1.3"}';
is(metric($v12), 0, 'no handshake with TLS 1.2 yet');
$client->curl('https://two.test/') for 1 .. 3;
is(metric($v12), 3, '... three are counted as three');
my $before = metric($v13);
is(metric($v13), $before + 1, '... one with TLS 1.3 as one');
is(metric('securelayer_certificates'), 2, 'certificates are counted');

my $failed = 'securelayer_handshake_failures_total{reason="version"}';
is(metric($failed), 0, 'no failure yet');
$client->curl('https://two.test/', args => ['--tlsv1.3']);
ok(wait_until(sub { metric($failed) == 1 }), '... a failure is counted by its reason') or diag get('?metrics')->{body};

ok($httpd->restart, 'a graceful restart');
is(metric($v12), 3, '... forgets nothing');
is(metric($failed), 1, '... of the failures either');

my $metrics = get('?metrics');
like($metrics->{headers}{'content-type'}, qr{^application/openmetrics-text; version=1\.0\.0}, 'metrics say what they are');
spew("$work/metrics", $metrics->{body});
my $parsed = run(['/usr/bin/python3', '-c', <<'PY', "$work/metrics"]);
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
for family in parse(open(sys.argv[1]).read()):
    print(family.type, family.name, len(family.samples))
PY
is($parsed->{status}, 0, '... and a parser takes them') or diag $parsed->{err};
like($parsed->{out}, qr/^histogram securelayer_handshake_seconds 15$/m, '... with the histogram');
my ($all) = $metrics->{body} =~ /^securelayer_handshake_seconds_count (\d+)$/m;
my $sum = 0;
$sum += $1 while $metrics->{body} =~ /^securelayer_handshakes_total\{.*\} (\d+)$/mg;
is($all, $sum, '... of all handshakes');

$httpd->stop;

# Many children count in slots of their own; more certificates than go on a page.
{
    my @many = map { $certs->server("many-$_.test", type => 'ecdsa', tag => 'many', end => "+@{[50 + $_]}d") } 1 .. 52;
    my $prefork = SL::Httpd->new(mpm => 'prefork');
    $prefork->config(join '', "Listen 127.0.0.1:\${port_https}\nListen 127.0.0.1:\${port_http}\n<Location /tls>\nSetHandler securelayer-status\n</Location>\n",
        map { tls_host("many-$_.test", $many[$_ - 1]) } 1 .. 52);
    $prefork->start_ok or BAIL_OUT('httpd does not start');
    my $many = SL::Client->new(port => $prefork->port('https'));
    my $ask = sub { $many->curl('http://127.0.0.1:' . $prefork->port('http') . '/tls' . ($_[0] // ''))->{body} };
    my $html = $ask->();
    like($html, qr/>52 found.*>many-1\.test<.*>many-50\.test<.*page 1 of 2.*<a href="\?filter=&amp;page=2">/s, '50 certificates on a page, and a way to the next ones');
    unlike($html, qr/>many-51\.test</, '... which are not on the first');
    like($ask->('?page=2'), qr/>many-51\.test<.*>many-52\.test<.*page=1">.*page 2 of 2/s, '... but on the second');
    # A hyphen, for the filter looks at paths too, and letters and digits of those are of chance.
    like($ask->('?filter=MANY-5&page=1'), qr/>4 found/, '... a filter looks at all of them');
    $many->curl("https://many-$_.test/") for 1 .. 12;
    my $json = JSON::PP->new->utf8->decode($ask->('?json&rows=1'));
    is($json->{handshakes}{total}, 12, 'children count together');
    my @children = @{ $json->{children} };
    cmp_ok(scalar @children, '>', 1, '... who are several');
    my %there = map { $_ => 1 } $prefork->children;
    is_deeply([grep { !$there{ $_->{pid} } } @children], [], '... and all there');
    my $together = 0;
    $together += $_->{handshakes} for @children;
    is($together, 12, '... each for itself');
    $prefork->stop;
}
done_testing;
