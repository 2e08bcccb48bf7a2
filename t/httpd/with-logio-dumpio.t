# mod_logio counts the bytes on the wire, mod_dumpio shows what is inside TLS and nothing else.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Bodies qw(pattern digest_of);
use SL::Certs;
use SL::Client;
use SL::Command qw(slurp slow wait_until);
use SL::Conf qw(tls_host);
use SL::Httpd;
use SL::Relay;

my $cert = SL::Certs->new->server('one.test', type => 'ecdsa');

for my $mpm (qw(event worker prefork)) {
    my $httpd = SL::Httpd->new(mpm => $mpm, modules => ['dumpio', SL::Httpd::has_module('logio') ? 'logio' : ()]);
    $httpd->config(<<"CONF" . tls_host('one.test', $cert));
Listen 127.0.0.1:\${port_https}
LogFormat "%U %I %O" bytes
CustomLog "\${root}/logs/bytes" bytes
CONF
    $httpd->file('docs/one.test/small', 'small');
    $httpd->file('docs/one.test/big',   pattern(2000001));
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    my $logged = sub {
        my ($path) = @_;
        return wait_until(sub { slurp($httpd->root . '/logs/bytes') =~ /^\Q$path\E (\d+) (\d+)$/m ? "$1 $2" : undef }, 10 * slow());
    };

    # TLS 1.2, whose last record (the alert) can be told from the others.
    for my $path ('/small', '/big') {
        my $relay  = SL::Relay->new(to => $httpd->port('https'));
        my $stream = SL::Client->new(port => $relay->port)->tls('one.test', args => ['-tls1_2']);
        $stream->send("GET $path HTTP/1.1\r\nHost: one.test\r\n\r\n");
        is($stream->response->{code}, 200, "$mpm: $path comes");
        my ($up, $down) = map { length $relay->bytes(1, $_) } qw(up down);
        is($logged->($path), "$up $down", '... and its bytes on the wire are counted, the handshake included');
        my $second = "$path?again";
        $stream->send("GET $second HTTP/1.1\r\nHost: one.test\r\n\r\n");
        $stream->response;
        my @lines;
        wait_until(sub { (@lines = slurp($httpd->root . '/logs/bytes') =~ /^\Q$path\E (\d+ \d+)$/mg) == 2 }, 10 * slow());
        my ($more_up, $more_down) = map { length $relay->bytes(1, $_) } qw(up down);
        is($lines[1], ($more_up - $up) . ' ' . ($more_down - $down), '... those of the next request alone');
        $stream->close;
        $relay->stop;
    }
    $httpd->stop;

    $httpd->config("LogLevel dumpio:trace7\nDumpIOInput On\nDumpIOOutput On\n");
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    $httpd->mark;
    my $client = SL::Client->new(port => $httpd->port('https'));
    my $stream = $client->tls('one.test', args => ['-tls1_2']);
    $stream->send("POST /small HTTP/1.1\r\nHost: one.test\r\nContent-Length: 21\r\n\r\nthe body of a request");
    is($stream->response->{code}, 200, "$mpm: a request with a body");
    $stream->close;
    ok($httpd->wait_for_log(qr/dumpio_in \(data-\w+\): POST \/small HTTP/), '... mod_dumpio shows its line');
    ok($httpd->wait_for_log(qr/dumpio_in \(data-\w+\): the body of a request/), '... its body');
    ok($httpd->wait_for_log(qr/dumpio_out \(data-\w+\): HTTP\/1\.1 200 OK/), '... the answer');
    my @dumped = grep { /dumpio_(?:in|out) \(data/ } split /\n/, $httpd->new_log;
    is(scalar(grep { /\\x(?!0[ad])/ } @dumped), 0, '... and nothing that is encrypted');
    $httpd->stop;
}
done_testing;
