# mod_remoteip: a PROXY header in front of the ClientHello, however it is cut into packets, tells whose connection it is.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Socket qw(inet_aton);
use SL::Certs;
use SL::Client;
use SL::Command qw(slow);
use SL::Conf qw(tls_host);
use SL::Httpd;
use SL::Relay;

my $cert = SL::Certs->new->server('one.test', type => 'ecdsa');
my $v1   = "PROXY TCP4 192.0.2.7 127.0.0.1 1111 443\r\n";
my $v2   = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" . inet_aton('192.0.2.8') . inet_aton('127.0.0.1') . pack 'nn', 1111, 443;

my @ways = (
    ['in a packet of its own',      '192.0.2.7', prefix => $v1],
    ['byte by byte',                '192.0.2.7', prefix => $v1, prefix_piece => 1],
    ['together with the hello',     '192.0.2.7', prefix => $v1, prefix_with => 1],
    ['and everything byte by byte', '192.0.2.7', prefix => $v1, prefix_with => 1, up_piece => 1],
    ['version 2',                   '192.0.2.8', prefix => $v2],
    ['version 2, byte by byte',     '192.0.2.8', prefix => $v2, prefix_piece => 1],
    ['version 2, with the hello',   '192.0.2.8', prefix => $v2, prefix_with => 1],
);

for my $mpm (qw(event worker prefork)) {
    my $httpd = SL::Httpd->new(mpm => $mpm, modules => ['remoteip', 'headers', $mpm eq 'prefork' ? () : 'http2']);
    $httpd->config(<<"CONF" . tls_host('one.test', $cert, 'Header set X-Client "expr=%{REMOTE_ADDR}"'));
Listen 127.0.0.1:\${port_https}
@{[ $mpm eq 'prefork' ? '' : 'Protocols h2 http/1.1' ]}
RemoteIPProxyProtocol On
CONF
    $httpd->file('docs/one.test/index.html', "this is one.test\n");
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    for my $case (@ways) {
        my ($name, $address, %o) = @$case;
        my $relay  = SL::Relay->new(to => $httpd->port('https'), %o);
        my $client = SL::Client->new(port => $relay->port);
        my $r = $client->curl('https://one.test/', args => ['-Z', '--parallel-max', 1, map {"https://one.test:$client->{port}/"} 1 .. 2]);
        is($r->{code}, 200, "$mpm: a PROXY header $name") or diag $r->{err};
        is($r->{headers}{'x-client'}, $address, '... tells the address');
        is($client->curl('https://one.test/', http => 2)->{headers}{'x-client'}, $address, '... for HTTP/2 too') if $mpm ne 'prefork';
        $relay->stop;
    }
    my $client = SL::Client->new(port => $httpd->port('https'));
    isnt($client->curl('https://one.test/')->{status}, 0, "$mpm: without the header nobody is served");
    my $cut = SL::Relay->new(to => $httpd->port('https'), prefix => substr($v1, 0, 20), prefix_with => 1);
    isnt(SL::Client->new(port => $cut->port)->curl('https://one.test/')->{status}, 0, '... nor with half of it');
    $cut->stop;
    $httpd->stop;
}
done_testing;
