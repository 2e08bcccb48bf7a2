# mod_ratelimit: bodies come whole, not faster than it says, over HTTP/1.1 and HTTP/2.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Bodies qw(pattern);
use SL::Certs;
use SL::Client;
use SL::Conf qw(tls_host);
use SL::Httpd;

my $cert = SL::Certs->new->server('one.test', type => 'ecdsa');

for my $mpm (qw(event worker prefork)) {
    my @versions = $mpm eq 'prefork' ? '1.1' : ('1.1', 2);    # mod_http2 does not work with prefork
    my $httpd = SL::Httpd->new(mpm => $mpm, modules => ['ratelimit', 'env', @versions == 2 ? 'http2' : ()]);
    $httpd->config("Listen 127.0.0.1:\${port_https}\n" . (@versions == 2 ? "Protocols h2 http/1.1\n" : '')
            . tls_host('one.test', $cert, '<Location "/slow">', 'SetOutputFilter RATE_LIMIT', 'SetEnv rate-limit 40', '</Location>'));
    $httpd->file("docs/one.test/$_", pattern(70003)) for qw(slow/body fast/body);
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    my $client = SL::Client->new(port => $httpd->port('https'));
    for my $version (@versions) {
        my $r = $client->curl('https://one.test/slow/body', http => $version);
        is($r->{version}, $version, "$mpm: HTTP/$version");
        ok($r->{body} eq pattern(70003), '... a body of 70 kB comes whole');
        cmp_ok($r->{seconds}, '>', 1, '... at 40 kB a second');
        ok($client->curl('https://one.test/fast/body', http => $version)->{body} eq pattern(70003), '... another without limit');
    }
    $httpd->stop;
}
done_testing;
