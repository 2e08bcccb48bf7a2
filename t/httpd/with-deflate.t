# mod_deflate packs answers and unpacks requests over TLS, whatever SSLCompression says: compression of TLS itself is never
# used, and SSL_COMPRESS_METHOD says so.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Bodies qw(pattern digest digest_of scripts cgi_modules cgi_conf);
use SL::Certs;
use SL::Client;
use SL::Command qw(run);
use SL::Conf qw(tls_host);
use SL::Httpd;

my $cert = SL::Certs->new->server('one.test', type => 'ecdsa');
my $size = 300007;
my $packed = run(['gzip', '-9c'], stdin => pattern($size))->{out};

for my $case (['event', ''], ['event', 'SSLCompression off'], ['worker', ''], ['prefork', '']) {
    my ($mpm, $setting) = @$case;
    my @versions = $mpm eq 'prefork' ? '1.1' : ('1.1', 2);    # mod_http2 does not work with prefork
    my $httpd = SL::Httpd->new(mpm => $mpm, modules => ['deflate', 'filter', 'headers', @versions == 2 ? 'http2' : (), cgi_modules($mpm)]);
    $httpd->config("Listen 127.0.0.1:\${port_https}\n" . (@versions == 2 ? "Protocols h2 http/1.1\n" : '') . cgi_conf($mpm)
            . tls_host('one.test', $cert, $setting, 'SetOutputFilter DEFLATE', 'SetInputFilter DEFLATE',
            'Header always set X-Compress "%{SSL_COMPRESS_METHOD}s"'));
    $httpd->file('docs/one.test/body.txt', pattern($size));
    scripts($httpd);
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    my $client = SL::Client->new(port => $httpd->port('https'));
    for my $version (@versions) {
        my $name = join ' ', "$mpm: HTTP/$version", $setting || ();
        my $r = $client->curl('https://one.test/body.txt', http => $version, args => ['-H', 'Accept-Encoding: gzip']);
        is("$r->{version} " . ($r->{headers}{'content-encoding'} // 'none'), "$version gzip", "$name: an answer is packed");
        is(digest_of(run(['gzip', '-dc'], stdin => $r->{body})->{out}), digest($size), '... and whole');
        is($r->{headers}{'x-compress'}, 'NULL', '... TLS does not compress');
        $r = $client->curl('https://one.test/body.txt', http => $version);
        is(($r->{headers}{'content-encoding'} // 'none') . ' ' . digest_of($r->{body}), 'none ' . digest($size), '... not for who does not ask');
        $r = $client->curl('https://one.test/cgi-bin/digest.pl', http => $version, stdin => $packed,
            args => ['--data-binary', '@-', '-H', 'Content-Encoding: gzip', '-H', 'Expect:']);
        like($r->{body}, qr/\Q${\ digest($size) }\E/, '... a request is unpacked');
    }
    $httpd->stop;
}
done_testing;
