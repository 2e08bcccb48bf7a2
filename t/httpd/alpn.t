# The application protocol is agreed on in the handshake, among those of the virtual host; without a common one there is
# no connection, unless the host is told to be lenient.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Conf qw(tls_host page);
use SL::Httpd;

my $cert  = SL::Certs->new->server('any.test', type => 'ecdsa', names => [map {"$_.test"} qw(both h1 h2first lenient h2only)]);
my @hosts = (
    ['both.test',    'Protocols h2 http/1.1'],
    ['h1.test',      'Protocols http/1.1'],
    ['h2first.test', 'Protocols http/1.1 h2', 'ProtocolsHonorOrder off'],
    ['ours.test',    'Protocols http/1.1 h2', 'ProtocolsHonorOrder on'],
    ['h2only.test',  'Protocols h2'],
    ['lenient.test', 'Protocols http/1.1', 'SecureLayerStrictALPN off'],
);
my $httpd = SL::Httpd->new(modules => ['http2']);
$httpd->config(join '', "Listen 127.0.0.1:\${port_https}\n", map { my ($name, @lines) = @$_; tls_host($name, $cert, @lines) } @hosts);
page($httpd, map { $_->[0] } @hosts);
$httpd->start_ok or BAIL_OUT('httpd does not start');
my $client = SL::Client->new(port => $httpd->port('https'));

sub offer {
    my ($host, $alpn, @args) = @_;
    return $client->s_client($host, args => [defined $alpn ? ('-alpn', $alpn) : (), @args],
        input => "GET / HTTP/1.1\r\nHost: $host\r\nConnection: close\r\n\r\n");
}

for my $version (qw(-tls1_2 -tls1_3)) {
    my %agreed = (
        'both.test h2,http/1.1'         => 'h2',
        'both.test http/1.1,h2'         => 'h2',
        'both.test http/1.1'            => 'http/1.1',
        'both.test h2'                  => 'h2',
        'both.test foo,bar/9,http/1.1'  => 'http/1.1',
        'h1.test h2,http/1.1'           => 'http/1.1',
        'h2first.test h2,http/1.1'      => 'h2',
        'h2first.test http/1.1,h2'      => 'http/1.1',
        'ours.test h2,http/1.1'         => 'http/1.1',
        'h2only.test h2,http/1.1'       => 'h2',
        'lenient.test h2,http/1.1'      => 'http/1.1',
    );
    for my $case (sort keys %agreed) {
        my ($host, $alpn) = split / /, $case;
        is(offer($host, $alpn, $version)->{alpn}, $agreed{$case}, "$version $host: offered $alpn, agreed on $agreed{$case}");
    }
    for my $case (['h1.test', 'h2'], ['both.test', 'foo,http/0.9'], ['h1.test', 'http/1.1x'], ['h1.test', 'HTTP/1.1']) {
        my $s = offer(@$case, $version);
        ok(!$s->{connected}, "$version $case->[0]: offered $case->[1], nothing in common, no connection");
        is($s->{alert_number}, 120, '... but the alert no_application_protocol');
    }
    for my $alpn ('h2', 'foo,bar') {
        my $s = offer('lenient.test', $alpn, $version);
        is($s->{alpn}, undef, "$version SecureLayerStrictALPN off: offered $alpn, agreed on nothing");
        like($s->{out}, qr/^this is lenient\.test/m, '... and served HTTP/1.1');
    }
    my $s = offer('both.test', undef, $version);
    is($s->{alpn}, undef, "$version a client without ALPN");
    like($s->{out}, qr/^this is both\.test/m, '... gets HTTP/1.1');
}
ok($httpd->wait_for_log(qr/SL0104: .*\(alpn\).*name asked for h1\.test.*ALPN h2;.*no application protocol \(120\)/), 'the log tells');
is($client->s_client('h1.test', args => ['-alpn', 'h2'], sni => '')->{alpn}, 'h2', 'the protocols of the host that was chosen count');

for my $http ('1.1', '2') {
    my $r = $client->curl('https://both.test/', http => $http);
    is("$r->{code} $r->{version}", "200 $http", "curl speaks HTTP/$http") or diag $r->{err};
    is($r->{body}, "this is both.test\n", '... and gets the page');
}
is($client->curl('https://h1.test/', http => 2)->{version}, '1.1', '... HTTP/1.1 where there is no other');
my $g = $client->gnutls('both.test', args => ['--alpn', 'h2', '--alpn', 'http/1.1']);
like($g->{text}, qr/Application protocol: h2/, 'gnutls-cli agrees on h2');
$g = $client->gnutls('h1.test', args => ['--alpn', 'h2']);
like($g->{text}, qr/\[120\]/, '... and gets the alert too');
$httpd->stop;
done_testing;
