# mod_include: pages ask for the variables of TLS and for HTTPS, over HTTP/1.1, HTTP/2 and without TLS, as with mod_ssl.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Certs;
use SL::Client;
use SL::Conf qw(tls_host);
use SL::Httpd;

my $cert = SL::Certs->new->server('one.test', type => 'ecdsa');

sub httpd {
    my ($mpm, %o) = @_;
    my $h2 = $mpm ne 'prefork';    # mod_http2 does not work there
    my $httpd = SL::Httpd->new(mpm => $mpm, modules => ['include', $h2 ? 'http2' : ()], %o);
    $httpd->config("Listen 127.0.0.1:\${port_https}\nListen 127.0.0.1:\${port_http}\n" . ($h2 ? "Protocols h2 http/1.1\n" : '')
            . "<Directory \"\${docs}\">\n Options +Includes\n AddOutputFilter INCLUDES .shtml\n</Directory>\n"
            . "<VirtualHost *:\${port_http}>\n ServerName one.test\n DocumentRoot \"\${docs}/one.test\"\n</VirtualHost>\n"
            . tls_host('one.test', $cert, '<Files "std.shtml">', 'SSLOptions +StdEnvVars', '</Files>'));
    my $page = <<'PAGE';
protocol <!--#echo var="SSL_PROTOCOL" -->
https <!--#echo var="HTTPS" -->
sni <!--#echo var="SSL_TLS_SNI" -->
name <!--#echo var="SSL_SERVER_S_DN_CN" -->
<!--#if expr="%{HTTPS} == 'on'" -->secure<!--#else -->plain<!--#endif -->
<!--#if expr="%{SSL_PROTOCOL} =~ /^TLSv1\.[23]$/" -->modern<!--#else -->none<!--#endif -->
<!--#include virtual="part.shtml" -->
PAGE
    $httpd->file("docs/one.test/$_.shtml", $page) for qw(std bare);
    $httpd->file('docs/one.test/part.shtml', '<!--#if expr="%{HTTPS} == \'on\'" -->part secure<!--#else -->part plain<!--#endif -->');
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    return ($httpd, SL::Client->new(port => $httpd->port('https')));
}

sub pages {
    my ($httpd, $client, $mpm) = @_;
    my %got;
    for my $version ($mpm eq 'prefork' ? '1.1' : ('1.1', 2)) {
        for my $tls ('1.2', '1.3') {
            for my $page (qw(std bare)) {
                my $r = $client->curl("https://one.test/$page.shtml", http => $version, args => ["--tlsv$tls", '--tls-max', $tls]);
                $got{"$page, TLS $tls, HTTP/$version"} = "$r->{version}\n$r->{body}";
            }
        }
    }
    my $r = $client->curl('http://one.test:' . $httpd->port('http') . '/std.shtml');
    $got{'without TLS'} = "$r->{version}\n$r->{body}";
    return \%got;
}

for my $mpm (qw(event worker prefork)) {
    my %got;
    for my $tls (qw(mod_ssl securelayer)) {
        my ($httpd, $client) = httpd($mpm, tls => $tls, name => "$mpm, $tls");
        $got{$tls} = pages($httpd, $client, $mpm);
        $httpd->stop;
    }
    is_deeply($got{securelayer}, $got{mod_ssl}, "$mpm: as with mod_ssl");
    for my $key (grep {/^std/} sort keys %{ $got{securelayer} }) {
        my ($tls, $http) = $key =~ m{TLS (\S+), HTTP/(\S+)};
        like($got{securelayer}{$key}, qr/^\Q$http\E\nprotocol TLSv\Q$tls\E\nhttps on\nsni one\.test\nname one\.test\nsecure\nmodern\npart secure/, "$mpm: $key");
    }
    like($got{securelayer}{'without TLS'}, qr/^https \(none\)\n.*^plain\nnone\npart plain/ms, "$mpm: without TLS");
}
done_testing;
