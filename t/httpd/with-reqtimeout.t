# mod_reqtimeout: who is too slow with a head or a body gets 408 inside TLS, who drips in the handshake is ended, who is
# fast enough for the minimum rate goes on, and who has shaken hands in time may wait with the request.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(time);
use SL::Bodies qw(digest pattern scripts cgi_modules cgi_conf);
use SL::Certs;
use SL::Client;
use SL::Command qw(slow wait_until);
use SL::Conf qw(tls_host);
use SL::Httpd;

my $cert = SL::Certs->new->server('one.test', type => 'ecdsa');
my $limit = slow();
my $header = 2 * $limit;

for my $mpm (qw(event worker prefork)) {
    my $httpd = SL::Httpd->new(mpm => $mpm, modules => ['reqtimeout', cgi_modules($mpm)]);
    $httpd->config(<<"CONF" . cgi_conf($mpm) . tls_host('one.test', $cert));
Listen 127.0.0.1:\${port_https}
AcceptFilter https none
AcceptFilter http none
RequestReadTimeout handshake=$limit header=$header,MinRate=50 body=$limit
SecureLayerHandshakeTimeout 60
CONF
    $httpd->file('docs/one.test/index.html', "this is one.test\n");
    scripts($httpd);
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    my $client = SL::Client->new(port => $httpd->port('https'));
    my $began  = time;

    # All of them wait at the same time.
    my ($head, $body, $late, $fast) = map { $client->tls('one.test', timeout => 10 * slow()) } 1 .. 4;
    my $drip = $client->raw;
    $head->send("GET / HTTP/1.1\r\nHost: one.test\r\nX-Half:");
    $body->send("POST /cgi-bin/digest.pl HTTP/1.1\r\nHost: one.test\r\nContent-Length: 10\r\n\r\nhalf");
    my $hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    my $long  = "GET / HTTP/1.1\r\nHost: one.test\r\nX-Long: " . 'x' x (400 * $header) . "\r\n\r\n";
    my ($dripped, $over, $asked);
    ok(wait_until(
        sub {
            if (time - $began > ($dripped || 0) * 0.1) {
                $dripped++;
                $drip->send(length $hello ? substr $hello, 0, 1, '' : "\0") unless $over;
                $fast->send(substr $long, 0, 40, '') if length $long;
                $over ||= $drip->ended && time - $began;
                $late->send("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n") if $over && !$asked++;
            }
            return $over && !length $long;
        }, 3 * $header + 5), "$mpm: a client that drips its hello is ended");
    cmp_ok($over, '>', $limit * 0.9, '... not before the time');
    cmp_ok($over, '<', $limit + 3 * slow(), '... and soon after it');
    my $answer = $late->response;
    is($answer && $answer->{code}, 200, '... one that has shaken hands in time may send its request then');

    $answer = $head->response;
    is($answer && $answer->{code}, 408, '... one that is too slow with its head gets 408');
    ok(defined $head->read_to_end, '... and is done');
    $answer = $body->response;
    is($answer && $answer->{code}, 408, '... as does one with its body');
    $answer = $fast->response;
    is($answer && $answer->{code}, 200, '... one that sends fast enough is served');
    cmp_ok(time - $began, '>', $header, '... after that time');
    $_->close for $head, $body, $late, $fast, $drip;
    $httpd->stop;
}
done_testing;
